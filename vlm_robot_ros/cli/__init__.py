"""The `vlm-robot` command, one file a subcommand."""
