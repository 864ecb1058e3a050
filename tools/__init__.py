"""The tools that the model may call: one a file, the text it reads in the `.md` beside it."""
