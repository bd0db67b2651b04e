"""Stitch labelled blocks that overlap, of whatever program, to one volume.

python stitch.py FOLDER OUTPUT.zarr [--pattern 'block_z{z}_y{y}_x{x}.tif'] [--voxel-size 40,4,4]

It is `lsd stitch`.
"""

from lsd.cli.commands.stitch import main

if __name__ == "__main__":
    main()
