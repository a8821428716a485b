"""Skills on geometry: objects of any size that the gripper takes, wherever they are."""
