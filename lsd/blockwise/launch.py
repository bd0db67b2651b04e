"""Starting workers elsewhere, by a command template: a cluster's submit command, or one's own.

The command is expected to last as long as its worker.  Jobs that a preset submits are noted in <step>/jobs, so that they are
cancelled when the run ends, however it ends: at once where it can, else by the next run.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from lsd.blockwise.step import Step
from lsd.spec import Workers


@dataclass(frozen=True)
class Preset:
    """How a scheduler takes jobs.  submitted: where its answer says the number of the job; cancel: the command for that."""

    template: str
    submitted: str
    cancel: str


PRESETS = {
    "slurm": Preset(
        "sbatch --wait --job-name={name} --output={log} {options} --wrap={quoted}", r"Submitted batch job (\d+)", "scancel"
    ),
    "lsf": Preset("bsub -K -J {name} -o {log} {options} {quoted}", r"Job <(\d+)> is submitted", "bkill"),
}


@dataclass(frozen=True)
class Launch:
    """What starts one worker elsewhere and waits until it has ended.

    folder: of the step; function: what the worker runs; workers: how it is launched
    """

    folder: Path
    name: str
    function: str
    overlap: bool
    workers: Workers

    def command(self, context: str, worker: int) -> str:
        """What a shell here is given, for a worker that finds the scheduler by `context`."""
        words = [sys.executable, "-m", "lsd.blockwise.worker", str(self.folder.resolve()), self.function]
        words += ["--context", context, "--cwd", str(Path.cwd())] + ([] if self.overlap else ["--one-at-a-time"])
        inner = shlex.join(words)
        preset = PRESETS.get(self.workers.launch or "")
        template = preset.template if preset else str(self.workers.launch)
        log = self.folder.resolve() / "logs" / f"worker-{worker}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        values = {
            "command": inner,
            "quoted": shlex.quote(inner),
            "name": shlex.quote(f"lsd-{self.name}"),
            "log": shlex.quote(str(log)),
            "options": self.workers.options,
            "worker": str(worker),
        }
        return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], match[0]), template)

    def __call__(self, context: str, worker: int) -> None:
        """Starts it and waits.  RuntimeError, with what the command said, unless it exits with 0."""
        process = subprocess.Popen(
            ["sh", "-c", self.command(context, worker)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        assert process.stdout is not None
        said, job = [], ""
        for line in process.stdout:
            said.append(line)
            job = job or self._note(line)
        status = process.wait()
        if job:
            _append(self.folder / "jobs", f"ended {job}")
        if status:
            raise RuntimeError(
                f"the command that starts workers exited with {status}: {''.join(said[-20:]).strip() or 'no output'}"
            )

    def _note(self, line: str) -> str:
        preset = PRESETS.get(self.workers.launch or "")
        match = re.search(preset.submitted, line) if preset else None
        if preset is None or match is None:
            return ""
        job = f"{preset.cancel} {match[1]}"
        _append(self.folder / "jobs", job)
        return job


def cancel(step: Step) -> list[str]:
    """Cancels the jobs of a step that have not ended; returns the commands that did so."""
    file = step.folder / "jobs"
    if not file.exists():
        return []
    noted = file.read_text().splitlines()
    ended = {line.removeprefix("ended ") for line in noted if line.startswith("ended ")}
    left = [line for line in dict.fromkeys(noted) if not line.startswith("ended ") and line not in ended]
    for command in left:
        _cancel(command.split())
    file.unlink()
    return left


def _cancel(words: Sequence[str]) -> None:
    # the file lies in an output folder: nothing but the presets' commands and a number is run from it
    if len(words) == 2 and words[0] in {preset.cancel for preset in PRESETS.values()} and words[1].isdecimal():
        with suppress(OSError):
            subprocess.run(words, capture_output=True, check=False)


def _append(path: Path, line: str) -> None:
    # short lines appended at once, by processes of this machine
    with path.open("a") as file:
        file.write(line + "\n")
