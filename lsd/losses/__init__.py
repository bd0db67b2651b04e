"""What training minimises: a file a loss, and how the losses of several heads are combined."""
