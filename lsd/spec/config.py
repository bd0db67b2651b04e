"""The whole of a run in one value."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Self

from pydantic import Field, field_validator, model_validator

from lsd.spec import fitting, kinds
from lsd.spec.base import Several, Spec
from lsd.spec.collected import collected
from lsd.spec.error_map import ErrorMap
from lsd.spec.evaluate import Evaluate
from lsd.spec.locate import Locate
from lsd.spec.names import fault
from lsd.spec.networks import Network
from lsd.spec.plurals import counted
from lsd.spec.run import Predict, Train
from lsd.spec.seeds import Seeds
from lsd.spec.segment import Segment
from lsd.spec.variants import Variant
from lsd.spec.volumes import Dataset

# what Python calls a config file, a script or a notebook while it runs
_FILES_THAT_RUN = ("<run_path>", "__main__")


class Config(Spec):
    """What config/config.py holds.

    name:      of the run, one folder name; its folder is <runs>/<name>
    dataset:   volumes, and how training batches are augmented; a name of DATASETS
    variant:   what is learnt, by which stages and heads; a name of VARIANTS
    network:   the trunk of each stage and its sizes; a name of NETWORKS
    train, predict, segment, locate, seeds, evaluate, error_map: how each of these is done
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
    # these three are not written where they are as usual: configs of before had no such fields
    locate: Annotated[Locate, Field(exclude_if=lambda locate: locate == Locate())] = Locate()
    seeds: Annotated[Seeds, Field(exclude_if=lambda seeds: seeds == Seeds())] = Seeds()
    evaluate: Evaluate = Evaluate()
    error_map: Annotated[ErrorMap, Field(exclude_if=lambda one: one == ErrorMap())] = ErrorMap()
    runs: str = "runs"
    data_root: str | None = None
    imports: Annotated[tuple[str, ...], Several] = ()

    def __new__(cls, *arguments: object, **data: Any) -> Self:
        """A config that is written out in a config file that a person runs; what is read as data is
        made without arguments."""
        _import_while_a_file_runs(data)
        return super().__new__(cls)

    def derive(self, /, **changes: Any) -> Self:
        """As `Spec.derive`; a config file that runs may name modules here, too."""
        _import_while_a_file_runs(changes)
        return super().derive(**changes)

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
            if module in _FILES_THAT_RUN and module not in self.imports:
                raise ValueError(
                    f"kind {spec.kind!r} is defined in the file that runs, which other processes "
                    f"and whoever reads a checkpoint cannot import; move its classes to a module "
                    f"beside it, and name that, as in imports=('my_kinds',)"
                )
            if not any(f"{module}.".startswith(f"{name}.") for name in self.imports):
                raise ValueError(
                    f"kind {spec.kind!r} is defined in module {module!r}; name it, as in "
                    f"imports=({module!r},), so that other processes and checkpoints find it"
                )
        return self

    @model_validator(mode="after")
    def _axes_agree(self) -> Config:
        wrong = fitting.of_variant(self.variant, self.network.dims)
        has_its_network = self.predict.is_own_checkpoint
        wrong += fitting.of_dataset(self.dataset, self.network.dims) if has_its_network else []
        if has_its_network and self.predict.shape and len(self.predict.shape) != self.network.dims:
            sizes = counted(len(self.predict.shape), "axis")
            axes = f"{sizes}, the network {self.network.dims}"
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
        for name in self.predict.heads if self.predict.is_own_checkpoint else ():
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
        heads = self.variant.heads()
        wrong = self.segment.decoder.misfit(self.segment.affinities, heads)
        if wrong and self.predict.is_own_checkpoint:
            raise ValueError(wrong)
        return self


def _import_while_a_file_runs(data: Mapping[str, Any]) -> None:
    """Imports the modules that a config file names while it runs, whether or not it imports them by
    itself.  A wrong value is told when the fields are validated."""
    names = data.get("imports", ())
    names = (names,) if isinstance(names, str) else names
    if collected() is not None and isinstance(names, tuple | list):
        kinds.import_kinds(name for name in names if isinstance(name, str))


def _way_out(name: str, wrong: str) -> str:
    return (
        "the folder above it is set with runs="
        if set(name) <= {"."} or set(name) & set("/\\")
        else f"it {wrong}"
    )
