"""How the steps of a stage follow each other: one after another, or in branches."""
