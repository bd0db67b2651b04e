"""Public data sets: where they are published, and how they come here."""
