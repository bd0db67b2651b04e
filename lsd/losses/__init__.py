"""What training minimises: dense losses of a head, and their sum over heads."""
