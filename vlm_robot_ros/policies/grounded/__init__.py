"""The shipped policy: it grounds the words in the image and plans with the arm's state."""
