"""The whole of a run in one value."""

from __future__ import annotations

from typing import Annotated

from pydantic import field_validator, model_validator

from lsd.spec import fitting, kinds
from lsd.spec.base import Several, Spec
from lsd.spec.evaluate import Evaluate
from lsd.spec.names import fault
from lsd.spec.networks import Network
from lsd.spec.run import Predict, Train
from lsd.spec.segment import Segment
from lsd.spec.variants import Variant
from lsd.spec.volumes import Dataset


class Config(Spec):
    """What config/config.py holds.

    name:      of the run, one folder name; its folder is <runs>/<name>
    dataset:   volumes, and how training batches are augmented; a name of DATASETS
    variant:   what is learnt, by which stages and heads; a name of VARIANTS
    network:   the trunk of each stage and its sizes; a name of NETWORKS
    train, predict, segment, evaluate: how each of these is done
    runs:      folder of all runs
    data_root: folder that relative volume paths start from; None: $LSD_DATA, else ./data
    imports:   modules that define kinds of one's own, such as a target.  They are code, and are
               imported because a person runs the config file that names them
    """

    name: str
    dataset: Dataset
    variant: Variant
    network: Network
    train: Train = Train()
    predict: Predict = Predict()
    segment: Segment = Segment()
    evaluate: Evaluate = Evaluate()
    runs: str = "runs"
    data_root: str | None = None
    imports: Annotated[tuple[str, ...], Several] = ()

    @field_validator("imports")
    @classmethod
    def _are_imported(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in kinds.absent(names):
            raise ValueError(
                f"module {name!r} is not imported; it is code, which runs only where a person "
                f"names it: write `import {name}` in the config file, or give imports={name}"
            )
        return names

    @field_validator("name")
    @classmethod
    def _one_folder(cls, name: str) -> str:
        wrong = fault(name)
        if wrong:
            raise ValueError(
                f"a run's name is one folder name, got {name!r}; {_way_out(name, wrong)}"
            )
        return name

    @model_validator(mode="after")
    def _names_its_modules(self) -> Config:
        for spec in kinds.outside(self):
            module = type(spec).__module__
            if not any(f"{module}.".startswith(f"{name}.") for name in self.imports):
                raise ValueError(
                    f"kind {spec.kind!r} is defined in module {module!r}; name it, as in "
                    f"imports=({module!r},), so that other processes and checkpoints find it"
                )
        return self

    @model_validator(mode="after")
    def _axes_agree(self) -> Config:
        wrong = fitting.of_variant(self.variant, self.network.dims)
        # a checkpoint that is named by its path has a network of its own
        own = self.predict.checkpoint in ("best", "latest")
        wrong += fitting.of_dataset(self.dataset, self.network.dims) if own else []
        if own and self.predict.shape and len(self.predict.shape) != self.network.dims:
            axes = f"{len(self.predict.shape)} axes, the network {self.network.dims}"
            wrong.append(f"predict.shape: {self.predict.shape} has {axes}; give one size an axis")
        if wrong:
            raise ValueError("\n".join(wrong))
        return self

    @model_validator(mode="after")
    def _names_exist(self) -> Config:
        stages = [stage.name for stage in self.variant.stages]
        for name in (*self.train.init, *self.train.frozen):
            if name not in stages:
                raise ValueError(
                    f"train.init or train.frozen names stage {name!r}; the variant has: "
                    f"{', '.join(stages)}"
                )
        heads = self.variant.heads()
        for name in self.predict.heads:
            if name not in heads:
                raise ValueError(
                    f"predict.heads names {name!r}; the variant has: {', '.join(heads)}"
                )
        dataset = self.dataset
        # what a pattern stands for is known on disk only: there, those who want the volumes ask
        # again
        if not any(
            volume.is_pattern
            for part in (dataset.train, dataset.validate, dataset.test)
            for volume in part
        ):
            try:
                dataset.named(self.predict.volumes)
            except ValueError as error:
                raise ValueError(f"predict.volumes: {error}") from error
        return self

    @model_validator(mode="after")
    def _mode_fits(self) -> Config:
        wrong = self.train.mode.misfit(
            self.variant,
            iterations=self.train.iterations,
            validates=bool(self.dataset.validate),
        )
        if wrong:
            raise ValueError(wrong)
        return self

    @model_validator(mode="after")
    def _decoder_fits_the_variant(self) -> Config:
        wrong = self.segment.decoder.misfit(self.segment.affinities, self.variant.heads())
        if wrong:
            raise ValueError(wrong)
        return self


def _way_out(name: str, wrong: str) -> str:
    return (
        "the folder above it is set with runs="
        if set(name) <= {"."} or set(name) & set("/\\")
        else f"it {wrong}"
    )
