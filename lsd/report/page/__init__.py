"""A run, or several side by side, as one page that is read in a browser, without a network."""
