"""What the README's figures come from. Anyone can run them; they print a table and JSON."""
