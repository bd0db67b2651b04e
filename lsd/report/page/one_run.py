"""The page of one run."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from html import escape

from funlib.geometry import Roi

from lsd.evaluation.error_sites.sites import Site, read_sites
from lsd.report.layers import layers, segmentation_layer, volume_of
from lsd.report.neurons import neurons_file
from lsd.report.page import about, scores, sites
from lsd.report.page.chart import number
from lsd.report.page.document import document, folded, paragraph
from lsd.report.page.neurons import neurons_table
from lsd.report.page.skeletons import skeletons
from lsd.report.page.slices import slices
from lsd.report.page.steps import steps_table
from lsd.report.page.tables import definitions
from lsd.report.page.training import training
from lsd.report.planes import box_of, planes
from lsd.report.recorded import Json, Recorded
from lsd.report.site_pictures import SitePicture, draw_site
from lsd.spec.paths import data_root, evaluation_file, sites_file
from lsd.volumes.volume import OpenVolume, open_volume

# sites of a volume that are drawn: all are in a table beside it
SITES = 12


def page(recorded: Recorded) -> str:
    """The run as HTML.  What is missing or cannot be read is said in its place; only sections that
    are shown are read."""
    opened = dict(_opened(recorded))
    return document(
        f"Run {recorded.name}",
        _summary(recorded),
        {
            "Scores": scores.scores_table(recorded),
            "Thresholds": _thresholds(recorded),
            "Along skeletons": skeletons(recorded),
            "Sections": _of_volumes(recorded, opened, _slices),
            "Error sites": _sites(recorded, opened),
            "Neurons": _neurons(recorded),
            "Training": training(recorded),
            "Seconds and memory": steps_table(recorded.usage),
            "Data, checkpoint, versions": _origin(recorded, opened),
            "Config": about.settings(recorded),
            "How each number is defined": about.how_defined(recorded),
        },
    )


def reason(error: Exception) -> str:
    """Why something is not there, as a whole sentence."""
    words = str(error) or type(error).__name__
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def _summary(recorded: Recorded) -> str:
    now = time.strftime("%Y-%m-%d %H:%M")
    if not recorded.evaluation:
        return paragraph(f"Not evaluated yet; as it was at {now}.")
    notices = "".join(map(paragraph, recorded.notices()))
    if recorded.is_outdated:
        return notices + paragraph(f"Written at {now}.")
    chosen, at = recorded.evaluation.get("chosen_on", ""), recorded.threshold
    scored = (
        f"No threshold: {chosen}" if at is None else f"Scored at threshold {at:g}, from {chosen}"
    )
    line = f"{scored}; this page was written at {now}."
    return notices + paragraph(line) + f'<div class="tiles">{"".join(_tiles(recorded))}</div>'


def _tiles(recorded: Recorded) -> Iterator[str]:
    """The number that stands for each part of the dataset, and how many volumes it is of."""
    words = recorded.words()
    for part, values in recorded.evaluation.get("parts", {}).items():
        shown = scores.headings(words, values)
        first, title = scores.objective(words, values)
        for name in dict.fromkeys([first, *shown]):
            if len(shown) > 5 and name != first:
                continue
            unit = f" [{words.unit}]" if words.unit and name.startswith("voi") else ""
            heading = shown.get(name, title)
            at = escape(f"/parts/{part}/{name}")
            yield (
                f'<div class="tile"><b data-json="{at}">{number(values.get(name))}</b>'
                f"<span>{escape(f'{part}: {heading}{unit}')}</span></div>"
            )


def _thresholds(recorded: Recorded) -> str:
    charts = scores.sweep_charts(recorded)
    return charts + folded("as numbers", scores.sweep_table(recorded)) if charts else ""


def _opened(recorded: Recorded) -> Iterator[tuple[str, OpenVolume | str]]:
    """The volumes of the run, or why one cannot be opened."""
    for name, spec in recorded.config.dataset.volumes().items():
        if spec.synthetic is not None and name not in recorded.volumes:
            # one that was not needed would be made for its row alone
            yield name, "made up; not looked at"
            continue
        try:
            yield name, open_volume(spec, name=name, data_root=data_root(recorded.config))
        except (ValueError, OSError) as error:
            yield name, reason(error)


def _of_volumes(
    recorded: Recorded,
    opened: dict[str, OpenVolume | str],
    drawn: Callable[[Recorded, OpenVolume, Json], str],
) -> str:
    bodies = ""
    for name, found in recorded.volumes.items():
        bodies += f"<h3>{escape(name)} ({escape(found['part'])})</h3>"
        volume = opened.get(name)
        try:
            volume = volume_of(recorded, name) if volume is None else volume
            body = paragraph(volume) if isinstance(volume, str) else drawn(recorded, volume, found)
        except (ValueError, OSError) as error:
            body = paragraph(reason(error))
        bodies += body
    return bodies


def _slices(recorded: Recorded, volume: OpenVolume, found: Json) -> str:
    there, problems = layers(recorded, volume)
    roi = Roi(found["begin"], [e - b for b, e in zip(found["begin"], found["end"], strict=True)])
    box = box_of(volume, roi, recorded.config.evaluate)
    shown = planes(volume, box, there)
    words = "".join(paragraph(reason(ValueError(each)), note=True) for each in problems)
    return slices(volume.name, there, shown, calibrated=volume.calibrated) + words


def _sites(recorded: Recorded, opened: dict[str, OpenVolume | str]) -> str:
    scored_in = evaluation_file(recorded.config)
    if "sites" not in recorded.evaluation:
        return (
            paragraph(f"{scored_in.name} names no error sites; evaluate again to have them.")
            if recorded.evaluation
            else ""
        )
    found = read_sites(scored_in)

    def drawn(recorded: Recorded, volume: OpenVolume, scored: Json) -> str:
        if not recorded.names_segments_of(volume.name):
            return "".join(map(paragraph, recorded.notices(volume.name)))
        listed = found.get(volume.name, [])
        return _sites_of(recorded, volume, listed) if listed else _no_sites(recorded, scored)

    return _of_volumes(recorded, opened, drawn)


def _no_sites(recorded: Recorded, scored: Json) -> str:
    """Why a volume has none."""
    settings = recorded.config.evaluate
    if settings.metric.against != "labels":
        return paragraph(
            "They are looked for where labels are compared, and the metric is along skeletons."
        )
    if not settings.sites:
        return paragraph("They were not looked for: evaluate.sites is 0.")
    if not scored["scores"]:
        return paragraph("They are looked for at a threshold, and none was picked.")
    return paragraph("No error was found.")


def _sites_of(recorded: Recorded, volume: OpenVolume, found: list[Site]) -> str:
    shown, why = found[:SITES], ""
    pictures: list[SitePicture | None] = [None] * len(shown)
    try:
        layer = segmentation_layer(recorded, volume.name)
        pictures = [draw_site(site, volume, layer) for site in shown]
    except (ValueError, OSError) as error:
        why = reason(error)
    left, table = len(found) - len(shown), sites_file(recorded.config)
    more = f"{left} more, which cost less, are in {table.name}." if left else ""
    drawn = list(zip(shown, pictures, strict=True))
    listed = sites.sites(drawn, calibrated=volume.calibrated)
    return listed + paragraph(why, note=True) + paragraph(more, note=True)


def _neurons(recorded: Recorded) -> str:
    in_pieces = recorded.config.evaluate.connected
    file = neurons_file(recorded.config).name
    tables = {
        name: neurons_table(rows, volume=name, in_pieces=in_pieces, file=file)
        for name, rows in recorded.neurons.items()
    }
    return "".join(f"<h3>{escape(name)}</h3>{body}" for name, body in tables.items())


def _origin(recorded: Recorded, opened: dict[str, OpenVolume | str]) -> str:
    dataset = recorded.config.dataset
    parts = {name: part for part in ("train", "validate", "test") for name in dataset.part(part)}
    of = about.checkpoints(recorded)
    entries = {f"checkpoint of {name}": words for name, words in of.items()}
    entries["versions"] = (
        ", ".join(f"{name} {version}" for name, version in about.versions(recorded).items())
        or "not noted"
    )
    return about.data_table(opened, parts) + definitions(entries)
