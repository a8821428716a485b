"""The data types that all other packages share; numpy only."""
