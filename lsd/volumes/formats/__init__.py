"""File formats of arrays, one a file; see `format` for what each offers and how to write one.

zarr2    zarr v2 folders; zarr2_checked: what describes an array is known to be whole; codec: how
         what is written is compressed
zarr3    zarr v3 folders; zarr3_codecs: how chunks and shards are made
n5       N5 folders
precomputed  neuroglancer's volumes; segment_blocks: how they compress ids
folders  what zarr and N5 have in common; groups: where each keeps what is said of a folder; ngff:
         what OME-Zarr metadata say; chunk_files: chunks that are files; compressed, checksum:
         their bytes
hdf5     HDF5 files
tiff     TIFF files, with the metadata of ImageJ and OME
npy      numpy files
nifti    NIfTI files; nifti_folder: folders of them
image_list  2D images in files of their own, which a list names
foreign  what is not read, by its name
"""
