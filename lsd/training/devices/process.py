"""What each of the processes runs that share a run.

They are fresh interpreters, as those that make batches: nothing is forked, and the main module of
who started them is not run again.
"""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from lsd.report.log import RunLog
from lsd.spec import Config
from lsd.spec.kinds import take_over
from lsd.spec.paths import log_file
from lsd.system.allocator import keep_freed_memory
from lsd.system.process import die_with_parent
from lsd.system.ranks import is_first, rank
from lsd.training.devices.ranks import Lost
from lsd.training.devices.store import ERRORS, Report, TrainingJob, connect, report, stored_value
from lsd.training.loop import train


def main() -> None:
    """Trains with the others, and reports how it ended.  Exit status: 0 done, 1 not."""
    die_with_parent()
    # before any thread has memory of its own
    keep_freed_memory()
    store, number = connect(), rank()
    assert store is not None, "lsd.training.devices.host says where it is"
    assert number is not None
    ended = _train(TrainingJob(**stored_value(store, "job")), number)
    # who started the run may have gone, and this one stopped for that
    with suppress(RuntimeError):
        report(store, ended)
    sys.exit(ended.kind != "done")


def _train(job: TrainingJob, number: int) -> Report:
    try:
        take_over(job.imports)
        config = Config.model_validate_json(job.config)
        with _logging(config):
            path = train(config, progress=job.progress and is_first())
    except KeyboardInterrupt as stop:
        return Report(number, "interrupted", str(stop))
    except Lost as error:
        return Report(number, "lost", str(error))
    except Exception as error:
        trace = traceback.format_exc()
        words = str(error) or type(error).__name__
        return Report(number, "failed", words, error=_kind(error), trace=trace)
    return Report(number, "done", str(path))


def _kind(error: Exception) -> str:
    kinds = (kind.__name__ for kind in type(error).__mro__)
    return next((kind for kind in kinds if kind in ERRORS), RuntimeError.__name__)


@contextmanager
def _logging(config: Config) -> Iterator[None]:
    """Inside, what the first process says goes to the terminal, and to the log of the run."""
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.captureWarnings(True)
    if not is_first():
        yield
        return
    logging.getLogger("lsd").setLevel(logging.INFO)
    with RunLog(log_file(config), None):
        yield


if __name__ == "__main__":
    main()
