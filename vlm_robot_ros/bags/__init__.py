"""Rosbags: read back, reported on, thought through again, and made into training data."""
