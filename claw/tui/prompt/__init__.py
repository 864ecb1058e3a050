"""Where the person types."""
