"""The families of skills: one module each, which `tasks.tasks` finds."""
