"""Helpers of the tests of segmentation: runs with predictions that nobody computed."""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "segmentation"))
