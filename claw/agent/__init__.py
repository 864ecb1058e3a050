"""The agent: it asks the model, runs the tools it calls for, and goes on until the work is done."""
