"""Policies of LeRobot, in a process of LeRobot's own interpreter."""
