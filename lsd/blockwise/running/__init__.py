"""Who does the blocks: this process, processes of this machine, jobs of a cluster."""
