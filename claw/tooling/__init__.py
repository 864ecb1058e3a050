"""What a tool is, and what it may reach. Everything that a tool author needs is in `base`."""
