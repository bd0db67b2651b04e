"""`python -m benchmarks error_map -c my_config.py [key=value ...]`: how well the places where a
segmentation disagrees with predicted descriptors find the errors that the truth tells.

The run must be predicted and segmented.  Every volume of predict.volumes with truth is scored and
its error map made, as `lsd evaluate` and `lsd error_map` do; suspects where there is truth are
compared with as many places that are drawn at random from the segmented voxels there.  What is
found lies in runs/<name>/error_map/found.json:

    python -m benchmarks error_map -c config/examples/fib25_mtlsd.py predict.volumes=validate
    python -m benchmarks error_map -c my_config.py error_map.cell=160 --near 160
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from funlib.geometry import Roi
from numpy.typing import NDArray

from lsd.cli.files import load
from lsd.evaluation.error_map.finding import found_sites
from lsd.evaluation.error_map.run import compared_threshold, error_maps
from lsd.evaluation.error_map.suspects import Suspect, read_suspects
from lsd.evaluation.error_sites.sites import Site
from lsd.evaluation.run import evaluate
from lsd.segmentation.results import open_results
from lsd.spec import Config
from lsd.spec.paths import data_root, run_folder, suspects
from lsd.volumes.units import lengths
from lsd.volumes.volume import open_volume

# nm that a suspect may lie from an error, and how many times places are drawn at random
NEAR, DRAWS = 80.0, 20
# bits that an error must cost: crumbs along jagged borders are none
WORTH = 1e-4
# first and last corner, nm
Box = tuple[NDArray[np.float64], NDArray[np.float64]]


def main(words: list[str]) -> int:
    """Prints what was found, and writes it."""
    if not words or {"-h", "--help"} & set(words):
        print(__doc__, file=sys.stderr)
        return 0 if words else 2
    config, near = arguments(list(words), "--near")
    found = run(config, near=NEAR if near is None else float(near))
    path = run_folder(config) / "error_map" / "found.json"
    path.write_text(json.dumps(found, indent=2) + "\n")
    print(json.dumps(found, indent=2))
    print(f"written: {path}")
    return 0


def run(config: Config, *, near: float = NEAR) -> dict[str, Any]:
    """By volume: what suspects find, and what as many places at random find."""
    config = config.derive(evaluate={"sites": 10_000})
    evaluation = evaluate(config)
    error_maps(config)
    threshold = compared_threshold(config)
    found = {}
    for name, sites in evaluation.sites.items():
        box = _scored_box(config, name, evaluation.volumes[name].roi)
        listed = [each for each in read_suspects(suspects(config, name)) if _lies(each, box)]
        worth = [site for site in sites if site.bits >= WORTH]
        found[name] = {
            "near, nm": near,
            "suspects": found_sites(listed, worth, near=near).as_dict(),
            "at random": _at_random(config, name, threshold, worth, len(listed), near, box),
        }
    return found


def _scored_box(config: Config, name: str, roi: Roi) -> Box:
    """Where there is truth, nm: beyond it nobody knows what is an error."""
    volume = open_volume(config.dataset.volumes()[name], name=name, data_root=data_root(config))
    begin, end = (
        lengths(corner, volume.voxel_size, volume.raw.remainder) for corner in (roi.begin, roi.end)
    )
    return np.array(begin), np.array(end)


def _lies(suspect: Suspect, box: Box) -> bool:
    place = np.array(suspect.place)
    return bool(((box[0] <= place) & (place < box[1])).all())


def _at_random(
    config: Config,
    name: str,
    threshold: float | None,
    sites: list[Site],
    count: int,
    near: float,
    box: Box,
) -> dict[str, float | None]:
    """Mean precision and recall of so many places of a box (nm), drawn again and again."""
    results = open_results(config, name)
    array = results.array
    segments = results.read(array.roi, threshold)
    begin = lengths(array.roi.begin, array.voxel_size, array.remainder)
    first, last = (np.rint((corner - begin) / array.voxel_size).astype(int) for corner in box)
    own = np.zeros(segments.shape, np.bool_)
    own[tuple(slice(a, b) for a, b in zip(first, last, strict=True))] = True
    inside = np.flatnonzero(own & (segments > 0))
    drawn = []
    for seed in range(DRAWS):
        chosen = np.random.default_rng(seed).choice(inside, count)
        voxels = np.stack(np.unravel_index(chosen, segments.shape), axis=-1)
        places = (voxels + 0.5) * array.voxel_size + begin
        guesses = [
            Suspect(int(segments.flat[at]), 0.0, 1, tuple(place.tolist()))
            for at, place in zip(chosen, places, strict=True)
        ]
        drawn.append(found_sites(guesses, sites, near=near))
    return {
        what: float(np.mean([getattr(one, what)(count) or 0.0 for one in drawn]))
        for what in ("precision", "recall", "recall_of_bits")
    }


def arguments(words: list[str], option: str) -> tuple[Config, str | None]:
    """The config that the words name, and the value of an option, None where it is not there."""
    path, value = taken(words, "-c"), taken(words, option)
    return load(Path(path or "config/config.py"), words), value


def taken(words: list[str], option: str) -> str | None:
    """Takes an option and its value out of the words; None where it is not there."""
    if option not in words[:-1]:
        return None
    place = words.index(option)
    value = words[place + 1]
    del words[place : place + 2]
    return value
