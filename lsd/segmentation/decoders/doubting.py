"""As the watershed decoder, with doubts: regions join on by affinities and by what joining does to
descriptors.

fragments -> contacts -> joined -> doubts -> edges -> segmentation
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import TypeAdapter

from lsd.arrays.lookup import components, relabel
from lsd.blockwise.on_disk.ledger import read_ledger
from lsd.blockwise.on_disk.step import Step, differences, load_step, step_folder
from lsd.segmentation.decoders.affinities import affinity_head, head_offsets
from lsd.segmentation.decoders.watershed import WatershedDecoder, one_worker
from lsd.segmentation.doubt import DOUBT, Look, changes_of, doubted_scores, doubts, margin
from lsd.segmentation.kernels.linkage import links
from lsd.segmentation.kernels.nearest import checked
from lsd.segmentation.kernels.prediction import Channels, Decoded, Heads, Learned
from lsd.segmentation.on_disk.results import in_config_words
from lsd.segmentation.over_blocks.doubts import DOUBTS, JOINED, DoubtedJob, DoubtsJob
from lsd.segmentation.over_blocks.edges import EDGE
from lsd.segmentation.over_blocks.fragments import FRAGMENTS
from lsd.segmentation.over_blocks.inputs import HeadInput, Inputs
from lsd.segmentation.over_blocks.running import Running
from lsd.segmentation.over_blocks.whole import between_regions
from lsd.segmentation.scoring.scoring import scoring_of
from lsd.spec import Scores, Segment, Target
from lsd.spec.effect import effective
from lsd.targets.target import check_of_labels
from lsd.volumes.array import open_array
from lsd.volumes.inputs import ArrayInput
from lsd.volumes.volume import needs_nm


class DoubtingDecoder(WatershedDecoder):
    """By the settings of `Segment`, of which scoring must be a mean, over the whole volume."""

    def reads(self, settings: Segment) -> tuple[str, ...]:
        """Affinities, and the head that is asked.  Raises ValueError where it would not be."""
        if not settings.scoring.is_mean or settings.agglomeration == "blocks":
            raise ValueError(
                f"segment.decoder {self.spec.kind!r} lets regions grow over the whole volume by "
                f"means; set segment.scoring=mean (or mean_all) and segment.agglomeration=auto"
            )
        if max(settings.thresholds) <= self.spec.regions:
            raise ValueError(
                f"segment.decoder {self.spec.kind!r} joins up to score {self.spec.regions:g} "
                f"without being asked, and none of segment.thresholds "
                f"({_listed(settings.thresholds)}) is higher; set segment.decoder.regions below "
                f"them, or segment.decoder=watershed"
            )
        return (settings.affinities, self.spec.head)

    def misfit(self, channels: Mapping[str, Channels]) -> str | None:
        """A head of which nobody knows what it learned, or that learns more than labels."""
        learned = channels[self.spec.head].learned
        if learned is None:
            return (
                f"segment.decoder {self.spec.kind!r} compares head {self.spec.head!r} with what it "
                f"learned, which an array does not say; segment what lsd predict wrote"
            )
        try:
            check_of_labels(learned.target)
        except ValueError as error:
            return f"segment.decoder.head names {self.spec.head!r}: {error}"
        return None

    def decode(
        self,
        heads: Heads,
        settings: Segment,
        *,
        mask: NDArray[Any] | None = None,
        first_section: int = 0,
    ) -> Decoded:
        """Fragments, and the scores at which they join."""
        made = super().decode(heads, settings, mask=mask, first_section=first_section)
        if not len(made.edges):
            return made
        affs = affinity_head(heads, settings)
        of_fragments = components(made.nodes, made.edges, made.scores, self.spec.regions)
        names, regions = np.unique(of_fragments, return_inverse=True)
        scoring = scoring_of(settings.scoring)
        contacts = links(
            *scoring.looked_at(checked(affs.values, head_offsets(affs)), head_offsets(affs)),
            made.fragments,
        )
        between = between_regions(contacts, regions)
        sizes = np.bincount(made.fragments.reshape(-1).astype(np.int64), minlength=len(regions))
        rows = doubts(self._look(heads, made, of_fragments), near=self.spec.near)
        scores = doubted_scores(
            made.edges.astype(np.int64),
            made.scores,
            between,
            np.bincount(regions, sizes, minlength=1),
            regions,
            changes_of(between.pairs, rows, names),
            weight=self.spec.weight,
            joined_at=self.spec.regions,
            caution=settings.caution,
            above=settings.cautious_above,
        )
        return Decoded(made.fragments, made.edges, scores)

    def write_edges(self, inputs: Inputs, running: Running) -> Step:
        """Edges without doubts, doubts, and edges with them."""
        container = running.container
        below = [
            threshold for threshold in inputs.settings.thresholds if threshold < self.spec.regions
        ]
        if below:
            running.say(
                f"joins up to segment.decoder.regions={self.spec.regions:g} are not asked about; "
                f"at {_listed(below)} segments are those of the watershed decoder"
            )
        joined = self.join_all(inputs, running, name=JOINED)
        doubts_of_blocks = running.step(self.doubts_step(inputs, container, joined))
        contacts = read_ledger(step_folder(container, "contacts")).records["count"].sum()
        step = self.doubted_step(inputs, container, doubts_of_blocks)
        return running.step(step, workers=one_worker(int(contacts)))

    def doubts_step(self, inputs: Inputs, container: Path, joined: Step) -> Step:
        """What blocks say of their regions; `joined` is whole."""
        head = self._head(inputs, container)
        assert head.learned is not None, "misfits are refused"
        # on the grid of the prediction, which may be gone
        array = open_array(container, FRAGMENTS)
        if not array.calibrated:
            raise ValueError(f"{array.name}: {needs_nm('what joins regions with doubts')}")
        job = DoubtsJob(
            fragments=inputs.own(container, FRAGMENTS),
            head=head.array,
            target=head.learned.target,
            dims=head.learned.dims,
            made_from=joined.digest,
            regions=self.spec.regions,
            near=self.spec.near,
            apart=inputs.apart,
            images=inputs.images,
        )
        context = margin(head.learned, array.voxel_size, near=self.spec.near)
        return Step(DOUBTS, container, inputs.around(context), job, rows=DOUBT)

    def doubted_step(self, inputs: Inputs, container: Path, of: Step) -> Step:
        """Edges and scores of the whole volume; `of`: the doubts, which are whole."""
        job = DoubtedJob(
            made_from=of.digest,
            fragments=self.first(inputs, container).digest,
            scores=inputs.settings.scores,
            regions=self.spec.regions,
            weight=self.spec.weight,
            apart=inputs.apart,
        )
        return Step("edges", container, inputs.one_block(), job, rows=EDGE)

    def other_settings(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """Those of the decoder, and scores."""
        recorded = {"weight": None, **edges.job.fingerprint()}
        if recorded["weight"] is None:
            return [f"segment.decoder: another there, {self.spec.kind} asked for"]
        wanted = effective(Scores(**inputs.settings.scores))
        lines = differences({"scores": recorded["scores"]}, {"scores": wanted})
        own = {name: getattr(self.spec, name) for name in ("weight", "regions")}
        there = {name: recorded[name] for name in own}
        return [
            *in_config_words(lines, settings="scores"),
            *differences(there, own, "segment.decoder."),
        ]

    def other_inputs(self, inputs: Inputs, container: Path, edges: Step) -> list[str]:
        """Of the edges, or of any step that they are made from."""
        contacts = self.contacts(inputs, container)
        joined = self.edges_of_all(inputs, container, contacts, name=JOINED)
        doubts_of_blocks = self.doubts_step(inputs, container, joined)
        last = self.doubted_step(inputs, container, doubts_of_blocks)
        for step in (contacts, joined, doubts_of_blocks, last):
            there = step.folder / "step.json"
            lines = step.differs(load_step(step.folder)) if there.exists() else []
            if lines:
                return in_config_words(
                    [_named(line) for line in lines], settings="scores", context="decoder.near"
                )
        return []

    def _head(self, inputs: Inputs, container: Path) -> HeadInput:
        """The head that is asked; of a prediction that was deleted since, as the doubts on disk
        recorded it."""
        if self.spec.head in inputs.heads:
            return inputs.heads[self.spec.head]
        record = load_step(step_folder(container, DOUBTS)).job.record()
        target: Any = TypeAdapter(Target).validate_python(record["target"])
        return HeadInput(
            ArrayInput.model_validate(record["head"]),
            None,
            learned=Learned(target, record["dims"]),
        )

    def _look(self, heads: Heads, made: Decoded, of_fragments: NDArray[np.uint64]) -> Look:
        head = heads[self.spec.head]
        assert head.learned is not None, "misfits are refused"
        if head.voxel_size is None:
            raise ValueError(needs_nm("what joins regions with doubts"))
        whole = tuple(slice(0, n) for n in made.fragments.shape)
        regions = relabel(made.fragments, made.nodes, of_fragments)
        return Look(head.predicted, regions, whole, head.learned, head.voxel_size)


def _listed(thresholds: Sequence[float]) -> str:
    return ", ".join(f"{threshold:g}" for threshold in thresholds)


def _named(line: str) -> str:
    """A line about a field of a job that is one of the decoder's."""
    return f"segment.decoder.{line}" if line.split(":")[0] in ("near", "regions") else line
