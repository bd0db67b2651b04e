"""Runs of the tests of segmentation and of reports, and images of those of volumes, are exported
here."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path += [str(TESTS / room) for room in ("segmentation", "report", "volumes")]
