"""Behaviour cloning on a pretrained encoder."""
