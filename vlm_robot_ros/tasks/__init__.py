"""What can be asked for on the table; no MuJoCo, no torch."""
