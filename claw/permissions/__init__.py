"""Who decides whether a call may run."""
