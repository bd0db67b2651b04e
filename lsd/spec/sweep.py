"""A sweep: settings that are compared, each trained with several seeds."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple

from pydantic import BeforeValidator, Field, field_validator, model_validator

from lsd.spec.base import NonNegative, PositiveFloat, Several, Spec
from lsd.spec.config import Config
from lsd.spec.names import fault
from lsd.spec.volumes import Dataset


class Setting(Spec):
    """What is compared with others, a row of the table.

    config:  how it is trained and all that comes after
    minutes: that each seed trains, in place of those of the sweep
    """

    config: Config
    minutes: PositiveFloat | None = None


def _alone(value: Any) -> Any:
    """A config alone is a setting."""
    return {"config": value} if isinstance(value, Config) else value


class Run(NamedTuple):
    """One training of a sweep, and all that comes after."""

    setting: str
    seed: int
    config: Config


class Sweep(Spec):
    """Settings times seeds: each is trained, predicted, segmented and scored in a run of its own.

    name:     of the sweep, one folder name; runs are in <runs>/<name>/<setting>_seed<seed>
    settings: by name; a config alone is a setting
    seeds:    that each setting is trained with
    minutes:  that each run trains: as many iterations as fit, by the seconds that a step of the
              setting takes on this machine, measured once.  None: train.iterations of each config
    scored:   volumes that are predicted and scored instead of those of the configs; validation
              during training stays with theirs
    further:  a function "module:name" of a config and its evaluation that gives further numbers by
              name, for the table.  It is code, which runs because a person runs the file of a sweep
    runs:     folder of all sweeps
    """

    name: str
    settings: Annotated[dict[str, Annotated[Setting, BeforeValidator(_alone)]], Field(min_length=1)]
    seeds: Annotated[tuple[NonNegative, ...], Several, Field(min_length=1)] = (0,)
    minutes: PositiveFloat | None = None
    scored: Dataset | None = None
    further: Annotated[str, Field(pattern=r"^[\w.]+:\w+$")] | None = None
    runs: str = "runs"

    @field_validator("name")
    @classmethod
    def _one_folder(cls, name: str) -> str:
        if wrong := fault(name):
            raise ValueError(f"a sweep's name is one folder name; {name!r} {wrong}")
        return name

    @model_validator(mode="after")
    def _runs_are_folders(self) -> Sweep:
        for name in self.settings:
            if wrong := fault(name):
                raise ValueError(f"a setting's name is part of a folder's; {name!r} {wrong}")
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {self.seeds} holds one twice; a seed gives one run")
        return self

    @property
    def folder(self) -> str:
        """Of its runs and tables, below the working folder."""
        return f"{self.runs}/{self.name}"

    def all_runs(self) -> list[Run]:
        """Every run: the first seed of all settings, then the second, so that a sweep that is
        stopped early can be read."""
        return [self.one_run(name, seed) for seed in self.seeds for name in self.settings]

    def one_run(self, setting: str, seed: int) -> Run:
        """A run of a setting with a seed, which need not be one of the sweep's."""
        config = self.settings[setting].config.derive(
            name=f"{setting}_seed{seed}", runs=self.folder, train={"seed": seed}
        )
        return Run(setting, seed, config)

    def minutes_of(self, setting: str) -> float | None:
        """That a run of the setting trains; None: as many iterations as its config says."""
        return self.settings[setting].minutes or self.minutes
