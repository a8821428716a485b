"""The inputs of arm and gripper controllers."""
