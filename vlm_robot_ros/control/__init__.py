"""From words and plans to commands, in time and within limits; pure Python and numpy."""
