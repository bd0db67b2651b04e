"""Large objects, such as cell bodies: located at a coarse scale, segmented at a fine one.

located     the table of objects: where each lies, how large it is and how surely it is one
tables      the files that hold such a table: CSV and Parquet
"""
