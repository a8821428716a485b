"""Kinds of controller inputs: one module each, found by `plugins.command_sinks`."""
