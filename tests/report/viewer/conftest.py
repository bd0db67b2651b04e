"""Runs of the tests of exports are looked at here."""

import sys
from pathlib import Path

TESTS = Path(__file__).parents[2]
sys.path += [str(TESTS / "segmentation"), str(TESTS / "report" / "exports")]
