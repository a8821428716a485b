"""The networks of the shipped policy."""
