"""Adapters between ROS and the other packages."""
