"""The LIBERO benchmark and its variants, for any policy."""
