"""Episodes in and out."""
