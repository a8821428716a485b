"""Policies that run elsewhere, joined by a protocol and a map."""
