"""What decides what the arm does."""
