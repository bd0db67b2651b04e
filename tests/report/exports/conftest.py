"""Runs of the tests of segmentation and of reports are exported here."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path += [str(TESTS / "segmentation"), str(TESTS / "report")]
