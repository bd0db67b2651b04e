"""Fragments by watershed, joined by the scores of the edges between them.

fragments -> contacts -> edges -> segmentation     where regions grow over the whole volume
fragments -> edges -> segmentation                 where they grow in blocks
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shutil import rmtree
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.arrays.offsets import reach
from lsd.blockwise.on_disk.job import Version
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, differences, load_step, step_folder
from lsd.blockwise.on_disk.written import left, steps_of
from lsd.segmentation.agglomeration import agglomerate
from lsd.segmentation.decoders.affinities import (
    affinity_fields,
    affinity_head,
    head_offsets,
    recorded_affinities,
)
from lsd.segmentation.decoders.affinities import why_nothing as why_no_affinities
from lsd.segmentation.decoders.decoder import PredictedValues
from lsd.segmentation.decoders.graph import GraphDecoder
from lsd.segmentation.fragments import fragments
from lsd.segmentation.kernels.nearest import mean_affinity, nearest
from lsd.segmentation.kernels.prediction import Decoded, Heads, Offsets, Prediction
from lsd.segmentation.on_disk.results import in_config_words
from lsd.segmentation.over_blocks.both_ends import BothEnds
from lsd.segmentation.over_blocks.contacts import CONTACT, ContactsJob
from lsd.segmentation.over_blocks.doubts import DOUBTS, JOINED
from lsd.segmentation.over_blocks.edges import EDGE, EdgesJob, edge_context
from lsd.segmentation.over_blocks.fragments import FRAGMENTS, UNCUT, FragmentsJob
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.over_blocks.running import Running
from lsd.segmentation.over_blocks.whole import WholeJob
from lsd.spec import Fragments as FragmentSettings
from lsd.spec import Scores, Segment, Workers
from lsd.spec.effect import effective
from lsd.spec.plurals import counted
from lsd.system.memory import available
from lsd.volumes.inputs import ArrayInput

# bytes for each contact where regions grow over the whole volume, as benchmarks.scale measures it
CONTACT_MEMORY = 160
# contacts that are joined in more than a few seconds; seconds that it may take
LONG = 1_000_000
LONGEST = 7 * 86400.0


class WatershedDecoder(GraphDecoder):
    """By the settings of `Segment`: fragments, scoring and where regions grow."""

    has_thresholds = True
    reads_affinities = True
    settings_field = "fragments"
    takes = ("affinities", "fragments", "scoring", "caution", "cautious_above")

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """Affinities."""
        return (settings.affinities,)

    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Decoded:
        """Fragments, and the scores at which they join."""
        affs = affinity_head(heads, settings)
        pieces = watershed(affs, settings.fragments, mask=mask, first_section=first_section)
        edges = agglomerate(affs.values, pieces, neighborhood=head_offsets(affs), **settings.scores)
        return Decoded(pieces, *edges)

    def fragments_job(self, inputs: Inputs) -> FragmentsJob:
        """By segment.fragments."""
        return WatershedJob(
            **affinity_fields(inputs),
            settings=inputs.settings.fragments,
            mask=inputs.mask,
            apart=inputs.apart,
            alone=inputs.images is not None,
        )

    def recorded(self, record: Mapping[str, Any], settings: Segment) -> dict[str, HeadInput]:
        """The affinities."""
        return {settings.affinities: recorded_affinities(record)}

    def write_edges(self, inputs: Inputs, running: Running) -> Step:
        """Edges and their scores."""
        container, in_blocks = running.container, inputs.settings.grown == "blocks"
        # of an earlier run; nothing would mend them, nor finish what it left half done
        others = {JOINED, DOUBTS, *(["contacts"] if in_blocks else [])}
        for step in [step for step in steps_of(container) if step.name in others]:
            if step.name == "contacts" or left(step):
                rmtree(step.folder, ignore_errors=True)
        if in_blocks:
            return running.step(self.edges_of_blocks(inputs, container))
        return self.join_all(inputs, running, name="edges")

    def join_all(self, inputs: Inputs, running: Running, *, name: str) -> Step:
        """Regions grow over the whole volume, in a step of this name; fragments are whole."""
        contacts = running.step(self.contacts(inputs, running.container))
        count = int(read_ledger(contacts.folder).records["count"].sum())
        _check_memory(running.name, count)
        step = self.edges_of_all(inputs, running.container, contacts, name=name)
        return running.step(step, workers=one_worker(count))

    def edges_of_blocks(self, inputs: Inputs, container: Path) -> Step:
        """Edges and scores, by each block for itself; fragments are whole."""
        job = EdgesJob(
            **affinity_fields(inputs),
            fragments=inputs.own(container, FRAGMENTS),
            made_from=self.first(inputs, container).digest,
            scores=inputs.settings.scores,
            apart=inputs.apart,
        )
        grid = inputs.around(edge_context(inputs.settings, inputs.roi.dims))
        return Step("edges", container, grid, job, rows=EDGE)

    def contacts(self, inputs: Inputs, container: Path) -> Step:
        """What blocks say of their fragments; fragments are whole."""
        scoring, fields = inputs.settings.scoring, affinity_fields(inputs)
        context = reach(fields["neighborhood"]) if scoring.is_far else (1,) * inputs.roi.dims
        job = ContactsJob(
            **fields,
            fragments=inputs.own(container, FRAGMENTS),
            uncut=inputs.own(container, UNCUT),
            made_from=self.first(inputs, container).digest,
            scoring=scoring,
        )
        return Step("contacts", container, inputs.around(context), job, rows=CONTACT)

    def edges_of_all(
        self, inputs: Inputs, container: Path, contacts: Step, *, name: str = "edges"
    ) -> Step:
        """Edges and scores of the whole volume, in one block; contacts are whole."""
        job = WholeJob(
            made_from=contacts.digest,
            fragments=self.first(inputs, container).digest,
            scores=inputs.settings.scores,
            apart=inputs.apart,
        )
        return Step(name, container, inputs.one_block(), job, rows=EDGE)

    def other_settings(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """Scores, and where regions grew."""
        if edges.is_older:
            return self.first(inputs, container).differs(edges)
        settings, recorded = inputs.settings, edges.job.fingerprint()
        wanted = effective(Scores(**settings.scores))
        lines = differences({"scores": recorded["scores"]}, {"scores": wanted})
        if settings.grown != recorded["agglomeration"]:
            chosen = ", by auto" if settings.agglomeration == "auto" else ""
            lines.append(
                f"segment.agglomeration: {recorded['agglomeration']} there, {settings.grown} asked "
                f"for{chosen}"
            )
        return in_config_words(lines, settings="scores")

    def other_inputs(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """Of the edges, or of the contacts that they are made from."""
        if inputs.settings.grown == "blocks":
            wanted = self.edges_of_blocks(inputs, container)
            return in_config_words(wanted.differs(edges), settings="scores", context="edge_context")
        contacts, folder = self.contacts(inputs, container), step_folder(container, "contacts")
        lines = contacts.differs(load_step(folder)) if (folder / "step.json").exists() else []
        wanted = self.edges_of_all(inputs, container, contacts)
        return in_config_words(lines or wanted.differs(edges), settings="scores")

    def strength(self, heads: Heads, settings: Segment) -> NDArray[np.float32]:
        """The mean affinity, which is compared with the threshold."""
        affs = affinity_head(heads, settings)
        in_xy = settings.fragments.in_xy or len(head_offsets(affs)[0]) < affs.values.ndim - 1
        return mean_affinity(nearest(affs.values, head_offsets(affs)), in_xy=in_xy)

    def why_nothing(self, values: PredictedValues, settings: Segment) -> str:
        """Nothing is inside, or nothing was kept."""
        options = settings.fragments
        general, lie = why_no_affinities(values)
        if general:
            return general
        if values.strongest <= options.threshold:
            return (
                f"{lie}, their mean at a voxel is {values.strongest:.3g} at most, which is not "
                f"above segment.fragments.threshold={options.threshold}; lower it, or train longer"
            )
        return (
            f"{lie}; all fragments were dropped: see segment.fragments.filter_fragments, .min_size "
            f"and .blank_sections"
        )


class WatershedJob(FragmentsJob):
    """Fragments of each block by watershed; neighborhood: an offset for each channel of the
    affinities."""

    version: Version = 4
    affinities: ArrayInput | BothEnds
    neighborhood: Offsets
    settings: FragmentSettings

    def inputs(self) -> dict[str, HeadInput]:
        """The affinities."""
        return {"affs": HeadInput(self.affinities, self.neighborhood)}

    def fragments(
        self, heads: Heads, *, mask: NDArray[np.bool_] | None, first_section: int
    ) -> NDArray[np.uint64]:
        """See `watershed`."""
        return watershed(heads["affs"], self.settings, mask=mask, first_section=first_section)


def watershed(
    affs: Prediction,
    settings: FragmentSettings,
    *,
    mask: NDArray[Any] | None = None,
    first_section: int = 0,
) -> NDArray[np.uint64]:
    """Fragments (z, y, x) by the config's `segment.fragments`; other arguments as of
    `DecoderKind.decode`."""
    offsets = head_offsets(affs)
    near = nearest(affs.values, offsets)
    options = settings.model_dump()
    sections = range(first_section, first_section + (near.shape[1] if near.ndim == 4 else 0))
    options["blank_sections"] = [
        z - first_section for z in options["blank_sections"] if z in sections
    ]
    options["in_xy"] |= len(offsets[0]) < near.ndim - 1
    return fragments(near, mask=mask, **options)


def one_worker(contacts: int) -> Workers:
    """Who joins all contacts: one that takes long is a process of its own, so that the script hears
    what it is told."""
    return Workers(count=int(contacts > LONG), timeout=LONGEST, retries=0)


def _check_memory(name: str, contacts: int) -> None:
    needed, free = contacts * CONTACT_MEMORY, available()
    if free is not None and needed > free:
        raise ValueError(
            f"{name}: to join {counted(contacts, 'contact')} over the whole volume about "
            f"{needed / 1e9:.2g} GB of memory are needed, "
            f"{free / 1e9:.2g} GB are free; set segment.agglomeration=blocks, which keeps the "
            f"fragments, or find more memory"
        )
