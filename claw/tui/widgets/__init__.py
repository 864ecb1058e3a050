"""The parts of the screen; each handles its own messages."""
