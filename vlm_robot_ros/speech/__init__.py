"""From sound to commands: what is speech, what was said, and how sure that is. Knows no ROS."""
