"""All runs of a sweep, one after another; what is done is skipped, what fails stops no other, and
several processes share them."""

from __future__ import annotations

import json
import logging
import os
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path

from lsd.blockwise.on_disk.lock import Held, exclusive, holder
from lsd.spec import Config
from lsd.spec.paths import config_file, run_folder
from lsd.spec.sweep import Run, Sweep
from lsd.spec.user_paths import expanded
from lsd.sweep import results
from lsd.sweep.basis import Current, fingerprint, timed
from lsd.sweep.chain import do, further_function
from lsd.sweep.failure import Failure, forget_failure, names_of_failures, read_failure
from lsd.sweep.pace import LOOK, iterations, seconds_per_step, way_out
from lsd.sweep.process import FAULTS, Ended, Failed, apart
from lsd.sweep.results import Result
from lsd.system.decimals import decimals
from lsd.system.ranks import rank

log = logging.getLogger(__name__)


@dataclass
class Outcome:
    """results: of runs that are done, in the order of the sweep; failures: what was said, by run
    table: these results, and what else in the sweep's folder is compared with them
    """

    results: list[Result] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    table: list[Result] = field(default_factory=list)


def run_sweep(sweep: Sweep, *, progress: Callable[[str], object] = log.info) -> Outcome:
    """Does every run that is not done yet, each in a process of its own, and writes sweep.json and
    sweep.md into <runs>/<name> after each.

    A run is done where its result.json is of the same config, and of the same data.  Where it is of
    others, its steps are gone through again: each makes anew what is no longer right, or refuses,
    as training does where its config is another.  A run that was stopped goes on where it was.
    With another number of iterations it is refused.

    Processes that run one sweep at the same time share its runs: what another is at is left for the
    end, and waited for then; what failed in another meanwhile is told, and not tried again.
    The table has other results of the folder, too, unless they are of a setting of the sweep that
    was another one, or had other data, then.
    progress: told in a line what becomes of each.
    Raises KeyboardInterrupt where it is stopped, after the run that is under way wrote a
    checkpoint; ValueError, before any run, where there is no function `further`, and where this is
    one of several processes that train together.
    """
    _check_alone()
    if sweep.further is not None:
        further_function(sweep.further)
    folder = expanded(sweep.folder)
    folder.mkdir(parents=True, exist_ok=True)
    all_runs = sweep.all_runs()
    failed_before = names_of_failures(run_folder(one.config) for one in all_runs)
    _note_paces(sweep, folder, progress)
    counts = Current(sweep, folder, told=progress)
    found: dict[int, Result] = {}
    failures: dict[str, str] = {}
    with closing(_free(all_runs, progress)) as free:
        for number in free:
            one = all_runs[number]
            try:
                found[number], how = _result(sweep, one, folder, failed_before)
            except FAULTS as error:
                failures[one.config.name] = said = str(error) or type(error).__name__
                how = f"failed: {said}"
            progress(f"{_which(all_runs, number)}: {how}")
            results.write(folder, _in_order(found), failures, counts=counts)
    done = _in_order(found)
    return Outcome(done, failures, results.with_others(done, folder, counts=counts))


def measure_paces(sweep: Sweep, *, progress: Callable[[str], object] = log.info) -> None:
    """Notes how long a step of each setting takes, and says how many iterations its minutes are.
    Best done while the machine is idle."""
    _check_alone()
    folder = expanded(sweep.folder)
    for name, setting in sweep.settings.items():
        config = setting.config
        seconds = seconds_per_step(config, setting=name, folder=folder, progress=progress)
        minutes = sweep.minutes_of(name)
        count = (
            config.train.iterations
            if minutes is None
            else iterations(config, minutes, setting=name, folder=folder)
        )
        steps = ", ".join(f"{stage} {decimals(value)} s" for stage, value in seconds.items())
        progress(f"{name}: {steps} a step; {count} iterations")


def _check_alone() -> None:
    """Trainings of different runs would take each other for one, and add up their gradients."""
    if rank() is not None and os.environ["WORLD_SIZE"] != "1":
        raise ValueError(
            "processes that torchrun starts train one run together, and those of a sweep train "
            "another each; start the command itself as often as you like, each time with a GPU of "
            "its own (CUDA_VISIBLE_DEVICES), and the runs are shared; or set train.devices"
        )


def _free(all_runs: Sequence[Run], progress: Callable[[str], object]) -> Generator[int]:
    """Numbers of runs, in their order, each once, while no other process does it; what another is
    at comes at the end."""
    left, told = list(range(len(all_runs))), set[int]()
    while left:
        held = []
        for number in left:
            target = run_folder(all_runs[number].config)
            with ExitStack() as stack:
                try:
                    stack.enter_context(exclusive(target))
                except Held:
                    held.append(number)
                    if number not in told:
                        told.add(number)
                        who = f"{_which(all_runs, number)}: {_holder(target)}"
                        progress(f"{who}, so left for the end; {way_out(target)}")
                    continue
                yield number
        if held == left:
            time.sleep(LOOK)
        left = held


def _holder(target: Path) -> str:
    return holder(target) or "done by another process"


def _which(all_runs: Sequence[Run], number: int) -> str:
    return f"{number + 1} of {len(all_runs)}, {all_runs[number].config.name}"


def _in_order(found: Mapping[int, Result]) -> list[Result]:
    return [found[number] for number in sorted(found)]


def _note_paces(sweep: Sweep, folder: Path, progress: Callable[[str], object]) -> None:
    """Measures before any run, by one process, what is not noted yet: beside a training, each step
    would seem longer.  What cannot be measured is told by its runs."""
    for name, setting in sweep.settings.items():
        if sweep.minutes_of(name) is not None:
            with suppress(*FAULTS):
                seconds_per_step(setting.config, setting=name, folder=folder, progress=progress)


def _result(
    sweep: Sweep, one: Run, folder: Path, failed_before: frozenset[str]
) -> tuple[Result, str]:
    """The result of a run, and what was done for it, in words.

    failed_before: names of failures that this process may try again
    """
    config = timed(sweep, one, folder)
    depends_on, own = fingerprint(config, sweep.scored, sweep.further), run_folder(config)
    earlier, failure = results.read(own), read_failure(own)
    if earlier is not None and earlier.depends_on == depends_on:
        return earlier, "was done before"
    if failure and failure.name not in failed_before and failure.depends_on == depends_on:
        raise Failed(f"{failure.said} (in another process of this sweep)")
    _check_length(config)
    forget_failure(own)
    try:
        outcome = apart(do, config, sweep.scored, sweep.further)
    except Ended:
        raise
    except Failed as error:
        Failure(str(error), depends_on).save(own)
        raise
    made = Result(one.setting, one.seed, depends_on, iterations=config.train.iterations, **outcome)
    made.save(own)
    again = "" if earlier is None else " again, since its config or data were others"
    return made, f"done{again}: {_words(made)}"


def _check_length(config: Config) -> None:
    """Raises ValueError where the run was begun with another number of iterations: a schedule that
    was made for one is none for another, so it would not be what its setting says."""
    file = config_file(config)
    if not file.is_file():
        return
    begun = json.loads(file.read_text()).get("train", {}).get("iterations")
    if begun != config.train.iterations:
        raise ValueError(
            f"{file.parent} was begun with {begun} iterations, {config.train.iterations} are asked "
            f"for; give the sweep another name (--name), or delete that folder"
        )


def _words(result: Result) -> str:
    total = sum(result.seconds.values())
    numbers = ", ".join(
        f"{name} {decimals(value)}"
        for name, value in list(result.scores.items())[:6]
        if value is not None
    )
    return f"{total / 60:.1f} min; {numbers}"
