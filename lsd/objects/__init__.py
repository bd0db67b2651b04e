"""Large objects, such as cell bodies: located at a coarse scale, segmented at a fine one.

located, tables    the table of objects: where each lies, how large it is and how surely it is one;
                   and the files that hold it, CSV and Parquet
measures, points   sizes, boxes and confidences of objects, and a point deep inside of each
locate             the table of a segmentation, as arrays
over_blocks, run   the same of a volume on disk, block by block; the volumes of a run
"""
