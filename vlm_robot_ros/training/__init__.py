"""Fit a policy."""
