"""Torch modules: encoders, fusion, heads, and the model that joins them."""
