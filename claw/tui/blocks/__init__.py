"""What the transcript is made of: one file for each kind of block."""
