"""What a run is: its config, versions, checkpoint and data; and how each number is defined."""

from __future__ import annotations

import json
from html import escape
from typing import Any

from lsd.report.page.document import folded, paragraph
from lsd.report.page.neurons import columns
from lsd.report.page.scores import headings, rows_of
from lsd.report.page.tables import Content, definitions, table
from lsd.report.recorded import Recorded
from lsd.spec import Evaluate
from lsd.spec.paths import evaluation_file, prediction
from lsd.volumes import containers
from lsd.volumes.array import open_array, text
from lsd.volumes.volume import OpenVolume

_BACKGROUND = {
    "label": "Segment 0 counts as one segment like others.",
    "ignore": "Voxels of segment 0 are left out.",
    "singletons": "Each voxel of segment 0 is a segment of its own.",
}

_OUTSIDE = {
    "crop": "Nodes outside of what is scored are left out, with their edges.",
    "omit": "Nodes outside of what is scored lie on background.",
}


def versions(recorded: Recorded) -> dict[str, str]:
    """Of the last time that each program was noted with; none of runs that noted nothing."""
    found: dict[str, str] = {}
    for each in recorded.usage:
        found |= each.get("versions", {})
    return found


def checkpoints(recorded: Recorded) -> dict[str, str]:
    """The checkpoint that predicted each volume, as the prediction says it."""
    return {name: _checkpoint(recorded, name) for name in recorded.volumes}


def data_table(volumes: dict[str, OpenVolume | str], parts: dict[str, str]) -> str:
    """A row for each volume; one that cannot be opened says why."""
    rows: list[list[Content]] = []
    for name, volume in volumes.items():
        if isinstance(volume, str):
            rows.append([name, parts.get(name, ""), volume, "", "", ""])
            continue
        sizes = ", ".join(f"{nm:g}" for nm in volume.voxel_size)
        size = sizes if volume.calibrated else "unknown"
        labels = volume.labels.name if volume.labels is not None else "none"
        rows.append([name, parts.get(name, ""), volume.raw.name, labels, text(volume.roi), size])
    header = ("volume", "part", "raw", "truth", "used, voxels z y x", "voxel, nm z y x")
    return f'<div class="wide">{table(header, rows, name="data")}</div>'


def settings(recorded: Recorded) -> str:
    """The config, as a table of what it is made of, and whole."""
    config = recorded.config
    variant = "; ".join(
        f"{stage.name}: {', '.join(stage.heads)}" for stage in config.variant.stages
    )
    short = {
        "variant": variant,
        "network": f"{config.network.trunk.kind}, trained on "
        f"{'x'.join(map(str, config.network.train_shape))} voxels",
        "training": f"{config.train.iterations:,} iterations, batches of "
        f"{config.train.batch_size}, seed {config.train.seed}",
        "segmentation": f"decoder {config.segment.decoder.kind}",
        "metric": config.evaluate.metric.kind,
    }
    whole = json.dumps(json.loads(config.model_dump_json()), indent=2)
    body = f"<pre>{escape(whole)}</pre>"
    return definitions(short) + folded("the whole config", body, printed=False)


def how_defined(recorded: Recorded) -> str:
    """How each number of the page comes about."""
    words, config = recorded.words(), recorded.config
    shown = next((headings(words, values) for *_, values in rows_of(recorded)), {})
    of_scores = {
        title: words.definitions[name] for name, title in shown.items() if name in words.definitions
    }
    of_scores |= {name: what for name, what in words.definitions.items() if name not in shown}
    body = definitions(of_scores) if of_scores else ""
    body += definitions({"what is scored": counted_by(config.evaluate)})
    if recorded.evaluation and not recorded.is_outdated:
        chosen = recorded.evaluation.get("chosen_on", "")
        picked = "None:" if recorded.threshold is None else "Picked on"
        body += definitions({"threshold": f"{picked} {chosen}."})
    if recorded.neurons:
        rows = columns(in_pieces=config.evaluate.connected)
        body += "<h3>A row for each neuron</h3>" + definitions(rows)
    return body + paragraph(
        f"A number of this page is that of {evaluation_file(config).name}, rounded to three "
        "decimals; a dash is a number that is undefined.",
        note=True,
    )


def counted_by(evaluate: Evaluate) -> str:
    """Which voxels, or nodes, are scored, and what background is, in sentences."""
    if evaluate.metric.against == "skeletons":
        nodes = "Nodes of skeletons are scored, by the segments that they lie in; 0 is background."
        return f"{nodes} {_OUTSIDE[evaluate.skeletons.outside]}"
    ignored = ", ".join(map(str, evaluate.left_out))
    sentences = [
        f"Voxels of the truth labelled {ignored} are left out." if ignored else "",
        "Label 0 is background, of the truth and of the segmentation."
        if evaluate.metric.has_background
        else _BACKGROUND[evaluate.background],
        "Only what is known counts: inside of the mask, and not the unknown label."
        if evaluate.use_mask
        else "The mask of the labels is not used.",
        "The truth was relabelled into connected pieces inside the region first."
        if evaluate.connected
        else "A neuron that leaves the region and comes back is one.",
    ]
    return " ".join(sentence for sentence in sentences if sentence)


def _checkpoint(recorded: Recorded, name: str) -> str:
    path = prediction(recorded.config, name)
    try:
        record: dict[str, Any] = {}
        for array in containers.array_names(path):
            record = dict(open_array(path, array).source.handle.attrs.get("prediction", {}))
            if record:
                break
    except (ValueError, OSError) as error:
        return str(error)
    if "checkpoint_sha256" not in record:
        return "the prediction does not say which"
    return (
        f"stage {record.get('stage')}, iteration {record.get('iteration')} of run "
        f"{record.get('run')}, sha256 {record['checkpoint_sha256']}"
    )
