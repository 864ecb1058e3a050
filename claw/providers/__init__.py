"""Clients of the hosts that serve the model."""
