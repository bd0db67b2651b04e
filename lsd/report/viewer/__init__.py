"""A run in neuroglancer, an extra: its arrays served from disk, part by part, as they are looked
at."""
