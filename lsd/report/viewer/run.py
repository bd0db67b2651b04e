"""Opens a volume of a run in neuroglancer."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from lsd.evaluation.error_map.standing import standing_of_map
from lsd.evaluation.error_map.suspects import read_suspects
from lsd.evaluation.error_sites.sites import Site, read_sites
from lsd.report.corrected import is_of_now
from lsd.report.images import Image, images_of, segmentation_name
from lsd.report.of_now import sentence
from lsd.report.viewer.extra import neuroglancer
from lsd.report.viewer.layers import Layer, image_layer, site_layers, skeleton_layer, suspect_layer
from lsd.report.viewer.state import as_it_was, first_state, save, saved
from lsd.segmentation.decoders.decoder import decoder_of
from lsd.segmentation.made_from import standing
from lsd.segmentation.threshold import picked
from lsd.spec import Config
from lsd.spec.paths import data_root, evaluation_file, suspects, viewer_state
from lsd.system.json_files import read_object
from lsd.volumes.find import expand
from lsd.volumes.skeletons.sources import open_skeletons
from lsd.volumes.volume import open_volume

log = logging.getLogger(__name__)

# seconds between looks at whether the state was changed
_LOOK = 1.0
# raw values that are black and white where a volume does not say it
_UINT8 = (0.0, 255.0)


class Viewing:
    """A viewer that is served: `address` opens it, in any number of browsers of this machine.

    viewer: neuroglancer's; file: where its state is kept
    """

    def __init__(self, viewer: Any, file: Path) -> None:
        self.viewer, self.file = viewer, file
        self.keep()

    @property
    def address(self) -> str:
        """Of this process: it is gone with it, and another one has another."""
        return str(self.viewer.get_viewer_url())

    def keep(self) -> None:
        """Writes the state."""
        save(self.viewer.state, self.file)

    def serve(self) -> None:
        """Serves until Ctrl-C, and keeps the state whenever it was changed."""
        state = self.viewer.state
        try:
            while True:
                time.sleep(_LOOK)
                if self.viewer.state != state:
                    state = self.viewer.state
                    self.keep()
        finally:
            # what was changed since the last look
            self.keep()


def view(
    config: Config,
    volume: str | None = None,
    *,
    file: Path | None = None,
    host: str = "127.0.0.1",
    port: int = 0,
) -> Viewing:
    """Serves a volume of a run: raw, truth, predicted heads, fragments, all segmentations, what was
    corrected, skeletons and error sites, in nm, read from disk as they are looked at.

    volume: by its name; None: the first one that was predicted
    file:   state to begin with, where it is there, and to be kept; None: that of the volume in the
            run's folder
    host, port: the address that is listened at; port 0: any that is free
    Raises ValueError where neuroglancer is not installed, or there is no such volume.
    """
    library, config = neuroglancer(), expand(config)
    name = _name(config, volume)
    images = images_of(config, name)
    array = images["raw"].array
    layers = [*_layers(config, name, images)]
    state = first_state(layers, array, title=f"{config.name}: {name}")
    file = file or viewer_state(config, name)
    library.set_server_bind_address(host, port)
    viewer = library.Viewer()
    viewer.set_state(as_it_was(state, saved(file)))
    return Viewing(viewer, file)


def _name(config: Config, asked: str | None) -> str:
    volumes = config.dataset.volumes()
    if asked is None:
        return next(iter(config.dataset.named(config.predict.volumes)))
    if asked not in volumes:
        raise ValueError(f"the run has no volume {asked!r}; there are: {', '.join(volumes)}")
    return asked


def _layers(config: Config, name: str, images: dict[str, Image]) -> Iterator[Layer]:
    """Raw, the picked segmentation, points and lines are seen at first; others wait."""
    spec = config.dataset.volumes()[name]
    chosen = _chosen(config, name, images)
    for image in images.values():
        visible = image.name in ("raw", chosen)
        yield image_layer(image, visible=visible, raw_range=spec.raw_range or _UINT8)
    array = images["raw"].array
    if spec.skeletons is not None:
        root = data_root(config)
        skeletons = open_skeletons(open_volume(spec, name=name, data_root=root), data_root=root)
        yield skeleton_layer(skeletons, array)
    if sites := _sites(config, name):
        yield from site_layers(sites, array)
    if suspects(config, name).exists() and _are_of_now(config, name):
        yield suspect_layer(read_suspects(suspects(config, name)), array)


def _sites(config: Config, name: str) -> list[Site]:
    """The error sites of a volume; none, which is told, where they are not for sure those of the
    segmentation that there is."""
    file = evaluation_file(config)
    own = read_sites(file).get(name, []) if file.exists() else []
    if not own:
        return []
    noted = read_object(file).get("made_from", {})
    of = standing(config, name, noted.get(name))
    if not of.is_known:
        log.warning("%s", sentence(of, file.name, [name]))
    return own if of.is_known else []


def _are_of_now(config: Config, name: str) -> bool:
    """Whether suspects are those of the segmentation that there is; told where they are not."""
    of = standing_of_map(config, name)
    if not of.is_known:
        log.warning(
            "the suspects in %s are not shown: %s; to have those of what is there, run %s",
            suspects(config, name), of.why, of.way_out,
        )  # fmt: skip
    return of.is_known


def _chosen(config: Config, name: str, images: dict[str, Image]) -> str:
    """What is corrected of the segmentation that there is, else that at the threshold that was
    picked, else the last."""
    if "corrected" in images and is_of_now(config, name):
        return "corrected"
    threshold = picked(config) if decoder_of(config.segment).has_thresholds else None
    if threshold is not None or not decoder_of(config.segment).has_thresholds:
        return segmentation_name(config, threshold)
    return next((name for name in reversed(images) if name.startswith("segmentation/")), "")
