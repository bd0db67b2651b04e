"""What a run found, for eyes: tables on the terminal, figures."""
