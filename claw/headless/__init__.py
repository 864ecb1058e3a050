"""`claw exec`: a run without a screen, for scripts and CI."""
