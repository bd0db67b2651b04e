"""`python -m benchmarks accuracy KIND`: which settings segment made-up volumes best, at the same
minutes of training.

KIND is isotropic or sections; what follows are the options of `python sweep.py`:

    python -m benchmarks accuracy isotropic --measure                   on an idle machine, first
    python -m benchmarks accuracy isotropic --only aff,mtlsd_1 --seeds 1,2,3 --minutes 20
    python -m benchmarks accuracy sections --runs /large/runs data_root=/large/data

It is a sweep (kinds/isotropic.py, kinds/sections.py) over the settings of settings.py, and goes on
where it was stopped.  Volumes are made once, into data/ or the data_root that is named; runs, the
seconds of a step and the table lie in runs/accuracy_<kind>, or below the folder that --runs names.
Each setting trains on 192^3 voxels, picks its checkpoint on 128^3, its threshold on 256^3, and is
scored on another 256^3: VOI, ARAND, expected run length, segments that merge, edges that are split.

fib25, snemi3d, mitochondria and nuclei are sweeps over real volumes, which data_root= names;
mitochondria_tested, snemi3d_tested and fib25_tested score their ends on sections that were kept for
it.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import NoReturn

from lsd.cli.commands import sweep

KINDS = {path.stem: path for path in (Path(__file__).parent / "kinds").glob("[a-z]*.py")}


def main(words: list[str]) -> NoReturn:
    """Runs the benchmark of the kind that the first word names, and exits as a sweep does."""
    if not words or words[0] not in KINDS:
        print(f"{__doc__}\nname one of: {', '.join(sorted(KINDS))}", file=sys.stderr)
        sys.exit(0 if words[:1] in (["-h"], ["--help"]) else 2)
    sweep.main(["-c", str(KINDS[words[0]]), *words[1:]], program=f"benchmarks accuracy {words[0]}")
    raise AssertionError("a command exits")
