"""sbatch, bsub, scancel and bkill of a cluster that is this machine: python fake_cluster.py sbatch
--wait --wrap=...

$FAKE_CLUSTER is its folder: `calls`, a line of JSON for each command; job-<n>, the process group of
a job; hold-<n>: while it is there, the job waits to be started; refuse: what is said to those who
submit, if it is there; broken: what jobs do instead, if it is there.  As the real ones do, these
keep to themselves what they print on a pipe until they end, and jobs live on when the command that
waits for them is killed.
"""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

HERE = Path(os.environ.get("FAKE_CLUSTER", "."))


def main(name: str, arguments: list[str]) -> int:
    """Exit status of the command `name`."""
    with (HERE / "calls").open("a") as file:
        file.write(json.dumps([name, *arguments]) + "\n")
    if name in ("scancel", "bkill"):
        return cancel(arguments)
    if (HERE / "refuse").exists():
        sys.stderr.write((HERE / "refuse").read_text())
        return 1
    if name == "sbatch":
        given = dict(argument.split("=", 1) for argument in arguments if "=" in argument)
        return submit(given["--wrap"], given["--output"], "Submitted batch job {}")
    return submit(
        arguments[-1],
        arguments[arguments.index("-o") + 1],
        "Job <{}> is submitted to default queue <normal>.",
    )


def cancel(jobs: list[str]) -> int:
    """Ends them."""
    for job in jobs:
        with suppress(OSError, ValueError):
            os.killpg(int((HERE / f"job-{job}").read_text()), signal.SIGTERM)
    return 0


def submit(command: str, log: str, answer: str) -> int:
    """Starts a job, says its number, and waits for it; its exit status."""
    job, file = number()
    if (HERE / "broken").exists():
        command = (HERE / "broken").read_text()
    waiting = f"while [ -e {shlex.quote(str(HERE / f'hold-{job}'))} ]; do sleep 0.1; done"
    with open(log, "w") as output:
        process = subprocess.Popen(
            ["sh", "-c", f"{waiting}; {command}"],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    os.write(file, str(process.pid).encode())
    sys.stdout.write(answer.format(job) + "\n")
    status = process.wait()
    return status if status >= 0 else 128 - status


def number() -> tuple[int, int]:
    """The next number of a job, and its open file."""
    job = 100
    while True:
        try:
            return job, os.open(HERE / f"job-{job}", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
        except FileExistsError:
            job += 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], sys.argv[2:]))
