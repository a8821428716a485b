"""LIBERO as a simulated arm."""
