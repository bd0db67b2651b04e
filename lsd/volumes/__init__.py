"""Arrays on disk: opening and creating them, the volumes of a dataset, the synthetic volume.

units, metadata, layout   what a file says of an array, and where its voxels lie
containers, source        zarr, HDF5 and TIFF files, and their chunks
array, create             an array read by regions of the world; arrays that are written
reference, find           names in a config: an array of another container, paths with wildcards
intensity, volume         raw as the network sees it; arrays that belong together
generated, synthetic      the made-up volume, on disk and as arrays
"""
