"""Where a run keeps its files."""

from __future__ import annotations

import os
from pathlib import Path

from lsd.spec.config import Config
from lsd.spec.evaluate import Scored
from lsd.spec.user_paths import expanded


def data_root(config: Config | None) -> Path:
    """Folder that relative volume paths start from: config.data_root, else, and without a config,
    $LSD_DATA, else ./data."""
    return expanded((config and config.data_root) or os.environ.get("LSD_DATA") or "data")


def run_folder(config: Config) -> Path:
    """The folder of the run, <runs>/<name>."""
    return expanded(config.runs) / config.name


def config_file(config: Config) -> Path:
    """The resolved config of the run, as JSON."""
    return run_folder(config) / "config.json"


def scored_config_file(config: Config) -> Path:
    """Of a run of a sweep that scores other volumes than those of its config: the config with
    these, as JSON."""
    return run_folder(config) / "scored.json"


def log_file(config: Config) -> Path:
    """What the scripts said of the run, and when."""
    return run_folder(config) / "log.txt"


def checkpoints(config: Config, stage: str) -> Path:
    """Folder of a stage's checkpoints."""
    return run_folder(config) / stage / "checkpoints"


def validation_file(config: Config) -> Path:
    """What the best validation during training found: iteration, threshold, scores."""
    return run_folder(config) / "validation.json"


def prediction(config: Config, volume: str) -> Path:
    """Zarr container with an image for each head: <container>/<head>, its voxels in
    <container>/<head>/0."""
    return run_folder(config) / "prediction" / f"{volume}.zarr"


def segmentation(config: Config, volume: str) -> Path:
    """Zarr container with the images fragments and segmentation/<threshold>."""
    return run_folder(config) / "segmentation" / f"{volume}.zarr"


def located(config: Config, volume: str) -> Path:
    """The table of the objects of a volume, which `locate` writes."""
    return run_folder(config) / "located" / f"{volume}.{config.locate.table}"


def objects(config: Config, volume: str) -> Path:
    """Zarr container with the image segmentation, of objects at located points."""
    return run_folder(config) / "objects" / f"{volume}.zarr"


def exported(config: Config, volume: str) -> Path:
    """Folder of what was exported of a volume."""
    return run_folder(config) / "export" / volume


def corrected(config: Config, volume: str) -> Path:
    """Zarr container with the images labels and labels_mask: the segmentation with what people
    corrected of it."""
    return run_folder(config) / "corrected" / f"{volume}.zarr"


def viewer_state(config: Config, volume: str) -> Path:
    """The state of the viewer of a volume, from which it comes up again as it was."""
    return run_folder(config) / "viewer" / f"{volume}.json"


def usage_file(config: Config) -> Path:
    """What each step took, a line of JSON for each time that it was done."""
    return run_folder(config) / "usage.jsonl"


def report_file(config: Config) -> Path:
    """The run as a page to be read in a browser, with the scores that evaluate.of is about."""
    return report_beside(evaluation_file(config))


def report_beside(scores: Path) -> Path:
    """The page with these scores: report.html beside evaluation.json, report-1.html beside an
    earlier evaluation-1.json."""
    return scores.with_name(f"{scores.stem.replace('evaluation', 'report')}.html")


def evaluation_file(config: Config, *, of: Scored | None = None) -> Path:
    """Scores of the run; of: what is scored, None: as evaluate.of says.  Those of objects pick no
    threshold, so they do not take the place of those that picked one."""
    names = {"segmentation": "evaluation.json", "objects": "objects_evaluation.json"}
    return run_folder(config) / names[of or config.evaluate.of]


def sites_file(config: Config) -> Path:
    """The worst splits and merges of the run's volumes, a table."""
    scores = evaluation_file(config)
    return scores.with_name(f"{scores.stem}_sites.csv")


def error_map(config: Config, volume: str) -> Path:
    """Zarr container with the image disagreement."""
    return run_folder(config) / "error_map" / f"{volume}.zarr"


def suspects(config: Config, volume: str) -> Path:
    """The table of the places where a volume may be segmented wrongly."""
    return run_folder(config) / "error_map" / f"{volume}.csv"
