"""What a prediction is settled on before it begins, wherever its workers are."""

from __future__ import annotations

from collections.abc import Iterator

from lsd.network.precision import choose
from lsd.network.threads import threads
from lsd.prediction.predictor import choose_device
from lsd.spec import Predict, Workers
from lsd.system.cores import too_many_threads


def settled(settings: Predict, workers: Workers | None) -> Predict:
    """The settings with the threads and the precision that a block is predicted with, so that
    blocks of several are not mixed.

    Sums differ in the last bits with the number of threads, so it must not follow from the number
    of workers.  What precision "auto" is elsewhere, nobody knows here.
    """
    asked = settings.threads if workers is None else settings.threads or 1
    precision = settings.precision
    if _are_here(workers):
        precision = choose(precision, choose_device(settings.device).type)
    return settings.derive(threads=threads(asked), precision=precision)


def _are_here(workers: Workers | None) -> bool:
    return workers is None or not workers.launch


def doubts(settings: Predict, workers: Workers | None) -> Iterator[str]:
    """What speaks against so many threads, or against a precision that is of each machine, and
    what to take instead."""
    if not _are_here(workers):
        # which device they have is not known here, and need not be one of this machine
        if settings.precision == "auto":
            yield (
                "predict.precision=auto is of each worker's machine: blocks of machines with bf16 "
                "and without it differ by more than rounding; where there are both, set "
                "predict.precision=fp32"
            )
    elif choose_device(settings.device).type == "cpu":
        processes = 1 if workers is None else workers.count
        yield from too_many_threads(settings.threads, "predict.threads", processes=processes)
