"""`claw demo`: a real repository with three defects, and a recorded model that repairs it."""
