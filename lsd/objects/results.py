"""Opens the objects that were segmented at located points, where they are what the config asks
for."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from lsd.blockwise.on_disk.step import differences, load_step, step_folder
from lsd.blockwise.on_disk.written import left
from lsd.objects.at_seeds import STEP
from lsd.objects.task import Task, stitching, task_of, wanted_of
from lsd.segmentation.on_disk.results import FinalResults, in_config_words, refuse
from lsd.segmentation.stitching import labels, stitched
from lsd.segmentation.stitching.run import ARRAY, steps
from lsd.spec import Config, Seeds
from lsd.spec.paths import objects
from lsd.system.commands import typed
from lsd.volumes.array import open_array


def open_objects(config: Config, volume: str) -> FinalResults:
    """What `objects` wrote for a volume.

    Raises ValueError if it is missing or not whole, or is not what segmenting again would give: of
    another table, checkpoint, raw or mask than there is now, or of other settings.
    """
    path = objects(config, volume)
    folder = step_folder(path, stitched.STEP)
    if not (folder / "step.json").exists():
        raise ValueError(
            f"there are no objects of volume {volume!r} at {path}; run {typed('objects')} first"
        )
    written = load_step(folder)
    if left(written):
        raise ValueError(f"{path} is not whole; run {typed('objects')} again, which goes on")
    # where the config does not say how many threads there are, they are no other than there were
    threads = load_step(step_folder(path, STEP)).job.record()["predict"]["threads"]
    task = task_of(config, volume, wanted_of(config, threads=threads))
    refuse(path, other_than_asked(config, task, path), command="objects")
    return FinalResults(open_array(path, ARRAY), written.digest)


def other_than_asked(config: Config, task: Task, container: Path) -> list[str]:
    """In what the objects in a container differ from those of a task, in words; what was not begun
    does not differ."""
    seeds = task.step(container)
    if not (seeds.folder / "step.json").exists():
        return []
    # the blocks follow from the job
    done, wanted = load_step(seeds.folder).job.fingerprint(), seeds.job.fingerprint()
    lines = differences(done, wanted, words=seeds.job.words())
    if lines or not (step_folder(container, labels.STEP) / "step.json").exists():
        return list(_in_config_words(lines))
    later = steps(
        task.blocks(container),
        container,
        settings=stitching(config.seeds, task.volume),
        made_from=seeds.digest,
    )
    begun = (step for step in later if (step.folder / "step.json").exists())
    # each is made from the one before, so the first that differs says why
    named = ([_of_pieces(line) for line in step.differs(load_step(step.folder))] for step in begun)
    return next(filter(None, named), [])


def _in_config_words(lines: Iterable[str]) -> Iterable[str]:
    for line in in_config_words(list(lines), settings="decoder"):
        field = line.partition(":")[0].partition(".")[0]
        named = f"seeds.{line}" if field in Seeds.model_fields else line
        named = f"predict.{line}" if field == "region" else named
        yield named.replace("segment.thresholds:", "seeds.threshold:", 1)


def _of_pieces(line: str) -> str:
    return line.replace("blocks:", "seeds.piece:", 1) if line.startswith("blocks:") else line
