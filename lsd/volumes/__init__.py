"""Arrays on disk: opening and creating them, the volumes of a dataset, the synthetic volume.

units, metadata, layout   what a file says of an array, and where its voxels lie
attributes, metadata_values  what attributes state, field by field
formats                   zarr, N5, precomputed, HDF5, TIFF, numpy and NIfTI, and those of one's
                          own: one file a format
containers, source        files that hold arrays, and their chunks, whatever the format
array, create, levels     an array read by regions of the world; arrays that are written, and
                          coarser
state, inputs             what tells its content from another; arrays as what a block function is
                          given
scaled, scale, region     several voxels read as one, or a level of the file; parts of a volume
reference, find           names in a config: an array of another container, paths with wildcards
intensity, raw_checks     raw as the network sees it, and whether it can be raw at all
consistency, volume       arrays that belong together
known_voxels, label_checks   where labels are known, and volumes without any
generated, synthetic      the made-up volume, on disk and as arrays
"""
