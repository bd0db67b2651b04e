"""What is started on each machine that training is sent to; it starts the processes there:

python -m lsd.training.devices.machine ADDRESS NUMBER --cwd FOLDER
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from lsd.spec import Config
from lsd.spec.kinds import take_over
from lsd.spec.paths import run_folder
from lsd.system.threads import sleep_where_idle
from lsd.training.devices.elsewhere import SIGNAL, machine_name
from lsd.training.devices.host import Host
from lsd.training.devices.start import check_devices
from lsd.training.devices.store import (
    VARIABLE,
    Report,
    Store,
    TrainingJob,
    connect,
    report,
    store_value,
    stored_value,
)
from lsd.training.interrupt import Interrupt, interruptible

# seconds between two looks, and that processes have for a checkpoint once nobody waits for them
_LOOK, _ALONE = 0.5, 120.0


def main(argv: list[str] | None = None) -> None:
    """Returns when all processes of this machine have ended."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("number", type=int)
    parser.add_argument("--cwd", type=Path, required=True)
    arguments = parser.parse_args(argv)
    os.chdir(arguments.cwd)
    # as when the scripts are run: modules of the working folder can be imported
    sys.path.insert(0, str(arguments.cwd))
    os.environ[VARIABLE] = arguments.address
    sleep_where_idle()
    try:
        store = connect()
    except OSError as error:
        sys.exit(str(error))
    assert store is not None
    store_value(store, machine_name(arguments.number), 1)
    job = TrainingJob(**stored_value(store, "job"))
    take_over(job.imports)
    config = Config.model_validate_json(job.config)
    first = arguments.number * config.train.devices
    try:
        check_devices(config.train)
    except ValueError as error:
        report(store, Report(first, "failed", str(error), error="ValueError"))
        sys.exit(str(error))
    with interruptible() as interrupt:
        host = _start(store, arguments.address, config, first=first)
        try:
            _wait(host, store, interrupt)
        finally:
            host.kill()


def _start(store: Store, address: str, config: Config, *, first: int) -> Host:
    count = config.train.devices
    return Host(
        store,
        address,
        first=first,
        count=count,
        size=count * config.train.hosts.count,
        logs=run_folder(config) / "processes",
    )


def _wait(host: Host, store: Store, interrupt: Interrupt) -> None:
    """Until they have ended; passes on signals that come to this process, or by the store."""
    passed_on: str | None = None
    until = float("inf")
    while host.runs and time.monotonic() < until:
        try:
            name = stored_value(store, SIGNAL) or interrupt.signal
            host.look()
        except RuntimeError:
            # who started the run has gone, so nobody waits for it
            name = passed_on or "SIGTERM"
            until = min(until, time.monotonic() + _ALONE)
        if name == "SIGKILL":
            return
        if name and name != passed_on:
            passed_on = name
            host.signal(name)
        time.sleep(_LOOK)
    host.look()


if __name__ == "__main__":
    main()
