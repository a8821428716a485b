"""Forward and differential kinematics, and actions as vectors to learn."""
