"""Machines that a run is sent to."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lsd.spec.base import Positive, Spec
from lsd.spec.effect import NoEffect

LaunchCommand = Annotated[str, Field(min_length=1)]
_REACHED = NoEffect("how a machine is reached changes no result")


def check_launch(launch: str | None) -> None:
    """Raises ValueError for a command that starts nothing."""
    preset = launch in (None, "slurm", "lsf")
    if not preset and not any(name in str(launch) for name in ("{command}", "{quoted}")):
        raise ValueError(
            f"launch {launch!r} starts no worker; allowed: slurm, lsf, or a command with "
            f"{{command}} or {{quoted}}, "
            "e.g. 'ssh node{worker} {quoted}'"
        )


class Hosts(Spec):
    """Machines that training is sent to; each runs train.devices processes.

    count:   how many machines
    launch:  None: training runs on this machine; "slurm" or "lsf": a job for each machine, through
             sbatch or bsub; else a shell command that starts one of them, as in
             predict.workers.launch
    options: for the scheduler, of one machine, e.g. "--gres=gpu:4 --cpus-per-task=32 --mem=200G"
    host:    name or address of this machine that the others connect to; None: found out
    """

    count: Positive = 1
    launch: Annotated[LaunchCommand | None, _REACHED] = None
    options: Annotated[str, _REACHED] = ""
    host: Annotated[str | None, _REACHED] = None

    @model_validator(mode="after")
    def _can_start(self) -> Hosts:
        check_launch(self.launch)
        if self.count > 1 and self.launch is None:
            raise ValueError(
                f"count={self.count} machines need launch=, the command that starts a process on "
                "one of them: slurm, lsf or your own; or leave count=1 and start the script with "
                "torchrun on each machine"
            )
        if self.launch is None and (self.options or self.host):
            raise ValueError(
                "options and host are for machines that training is sent to; name what starts a "
                "process there with launch= (slurm, lsf or a command of your own)"
            )
        return self
