"""From instructions and action chunks to one action per tick; no ROS, no threads, no clock."""
