"""Writes down what you worked on, and turns it into a bill."""

__version__ = "0.4.0"
