"""The seam: an observation in, a chunk of actions out."""
