"""The families of skills: one module each, found by `tasks.FAMILIES`."""
