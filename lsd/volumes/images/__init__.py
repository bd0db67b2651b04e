"""2D images in files of their own: pairs of image and mask, their list on disk, and reading one."""
