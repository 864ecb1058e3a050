"""Markdown as it comes from a model: cut into pieces, each painted once."""
