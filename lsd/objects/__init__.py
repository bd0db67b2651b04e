"""Large objects, such as cell bodies: located at a coarse scale, segmented at a fine one.

located, tables    the table of objects: where each lies, how large it is and how surely it is one;
                   and the files that hold it, CSV and Parquet
measures, points   sizes, boxes and confidences of objects, and a point deep inside of each
locate             the table of a segmentation, as arrays
over_blocks, run   the same of a volume on disk, block by block; the volumes of a run
locator            the run whose network locates what another outlines
seeds, windows     located objects in voxels, and the windows in which a network sees each
sight, instance    what network and decoder make of a window; the one object at a point
at_seeds, task     the objects of each block, and all that they are made from
seeded, results    the volumes of a run, stitched; and opened again where they are what is asked for
segmented          the table of a segmentation on disk
distribution       how densely objects lie, and how large they are
"""
