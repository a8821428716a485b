"""From targets to setpoints from which the arm can always stop."""
