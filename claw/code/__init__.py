"""What claw knows of code and of git."""
