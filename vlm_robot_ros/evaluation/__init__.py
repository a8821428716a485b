"""Measure a policy."""
