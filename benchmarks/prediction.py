"""Prediction of a volume with the paper's U-Net (12 maps, times 5 a level): ours against a plain
loop over blocks.

plain:  fp32, raw 196^3 -> 92^3 at a time, as every tutorial does it
ours:   `lsd.prediction` from disk to disk in bf16 where the processor has it, channels-last, larger
        blocks
bare:   the forward passes of our blocks alone: what reading, cropping, rounding and writing add to
        them is the overhead

The overhead is measured twice: of four blocks with all that comes before them (checkpoint, network,
first pass), and in the steady state, from when a block begins to be computed to when the sixteenth
after it does.  Each prediction has bare passes of the same shapes beside it in the same process,
first and last in turn, as machines change their speed.
"""

from __future__ import annotations

import os
import resource
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from funlib.geometry import Roi

from lsd.network import precision, sizes
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files
from lsd.prediction.blocks import HeadsFunction
from lsd.prediction.run import predict
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Head,
    Network,
    Predict,
    Stage,
    UNet,
    Variant,
    Volume,
    paths,
)
from lsd.system.allocator import keep_freed_memory
from lsd.volumes.create import create_array

AFF = Variant(stages=(Stage(heads={"affs": Head(target=Affinities())}),))
PAPER = UNet()
# of the steady state
WANTED = 1.05


@dataclass(frozen=True)
class Moment:
    """When it was, and what the process had used until then."""

    wall: float
    cpu: float
    faults: int

    @classmethod
    def now(cls) -> Moment:
        """This one."""
        faults = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        return cls(time.perf_counter(), sum(os.times()[:2]), faults)

    def since(self, other: Moment) -> Moment:
        """What lies between."""
        return Moment(self.wall - other.wall, self.cpu - other.cpu, self.faults - other.faults)


def run(
    *,
    trunk: UNet = PAPER,
    plain_shape: int = 196,
    shape: int = 268,
    blocks: Sequence[int] = (1, 2, 2),
    repeats: int = 3,
    steady: int = 16,
    left_out: int = 2,
    pairs: int = 3,
) -> dict[str, Any]:
    """Output voxels per second of plain and ours, their ratio, and what ours takes over its bare
    passes, both ways.

    plain_shape, shape: raw voxels a side of a block; blocks: how many of ours a volume takes along
                        each axis; repeats: of that
    steady: blocks of the steady state, which begins after `left_out`; pairs: predictions of them
            beside bare passes
    Ratios are medians.
    """
    # as the script's first step, before any thread has memory of its own
    keep_freed_memory()
    with tempfile.TemporaryDirectory() as folder:
        config, cascade = _prepare(Path(folder) / "few", trunk, shape, blocks)
        rounds = [
            _round(config, cascade, plain_shape, prod(blocks), number) for number in range(repeats)
        ]
        long, _ = _prepare(Path(folder) / "many", trunk, shape, (1, 1, left_out + steady + 1))
        steady_pairs = [_pair(long, cascade, left_out, steady, number) for number in range(pairs)]
    plain, ours, _ = (median(seconds) for seconds in zip(*rounds, strict=True))
    kept = prod(sizes.output_shape(trunk, (plain_shape,) * 3))
    written = prod(blocks) * prod(sizes.write_shape(AFF, trunk, (shape,) * 3))
    return {
        "plain fp32, voxels/s": kept / plain,
        "ours, voxels/s": written / ours,
        "ratio": median((written / ours) / (kept / plain) for plain, ours, _ in rounds),
        **_over(f"{prod(blocks)} blocks with set-up", [(ours, bare) for _, ours, bare in rounds]),
        **_steady(steady_pairs, steady),
        "threads": torch.get_num_threads(),
    }


def main() -> None:
    """Prints what was measured; half an hour on two cores."""
    for name, value in run().items():
        print(f"{name:48} {value if isinstance(value, str) else format(value, '10.4g')}")


def _steady(pairs: Sequence[tuple[Moment, Moment, Moment]], count: int) -> dict[str, Any]:
    ours, bare = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    shown = _over(
        f"steady state, {count} blocks", [(a.wall, b.wall) for a, b in zip(ours, bare, strict=True)]
    )
    for name, moments in (("ours", ours), ("bare", bare)):
        shown[f"a block of {name}, s"] = median(each.wall for each in moments) / count
        shown[f"a block of {name}, CPU s"] = median(each.cpu for each in moments) / count
        shown[f"a block of {name}, pages that were new"] = (
            median(each.faults for each in moments) / count
        )
    shown["CPU of ours over bare, steady state"] = median(
        a.cpu / b.cpu for a, b in zip(ours, bare, strict=True)
    )
    shown["before the first block is computed, s"] = median(before.wall for *_, before in pairs)
    return {**shown, "ours over bare, steady state, at most wanted": WANTED}


def _over(what: str, seconds: Sequence[tuple[float, float]]) -> dict[str, Any]:
    """Median of the ratios, their range, and how far the bare passes alone differ from each
    other."""
    ratios, bare = [ours / bare for ours, bare in seconds], [bare for _, bare in seconds]
    return {
        f"ours over bare, {what}": median(ratios),
        f"ours over bare, {what}, range": f"{min(ratios):.3f} .. {max(ratios):.3f}",
        f"bare, {what}, slowest over fastest": max(bare) / min(bare),
    }


def _round(
    config: Config, cascade: Cascade, plain: int, passes: int, number: int
) -> tuple[float, float, float]:
    """Seconds of a plain pass, of our prediction, and of its bare passes."""
    # what a layout's first pass pays for memory and kernels is no part of any
    _plain(
        cascade.to(memory_format=torch.contiguous_format),  # type: ignore[call-overload]
        min(sizes.smallest_raw(AFF, config.network.trunk)),
    )
    plain_pass = _seconds(lambda: _plain(cascade, plain))
    ours, bare = _beside(config, cascade, passes, number)
    return plain_pass, ours.wall, bare.wall


def _pair(
    config: Config, cascade: Cascade, left_out: int, count: int, number: int
) -> tuple[Moment, Moment, Moment]:
    """What `count` blocks took in the steady state, as many bare passes, and all before the first
    block is computed."""
    begins: list[Moment] = []
    since: list[Moment] = []
    with _noted(begins):
        _, bare = _beside(config, cascade, count, number, begun=since)
    return begins[left_out + count].since(begins[left_out]), bare, begins[0].since(since[0])


def _beside(
    config: Config, cascade: Cascade, passes: int, number: int, *, begun: list[Moment] | None = None
) -> tuple[Moment, Moment]:
    """What a prediction took, and so many bare passes of its shape; which is first depends on the
    number."""

    def ours() -> Moment:
        shutil.rmtree(paths.run_folder(config) / "prediction", ignore_errors=True)
        since = Moment.now()
        if begun is not None:
            begun.append(since)
        predict(config, progress=False)
        return Moment.now().since(since)

    def bare() -> Moment:
        fast = _fast(cascade, min(sizes.smallest_raw(AFF, config.network.trunk)))
        shape = _read_shape(config)
        since = Moment.now()
        fast(shape, passes)
        return Moment.now().since(since)

    if number % 2:
        second = bare()
        return ours(), second
    return ours(), bare()


@contextmanager
def _noted(begins: list[Moment]) -> Iterator[None]:
    """Notes each moment at which a block begins to be computed."""
    compute = HeadsFunction.compute

    def noting(self: HeadsFunction, block: Any, source: Any) -> Any:
        begins.append(Moment.now())
        return compute(self, block, source)

    HeadsFunction.compute = noting  # type: ignore[method-assign]
    try:
        yield
    finally:
        HeadsFunction.compute = compute  # type: ignore[method-assign]


def _read_shape(config: Config) -> tuple[int, ...]:
    """Of the raw of our blocks: as much as covers what they write, which may be less than the
    config's largest."""
    trunk = config.network.trunk
    assert config.network.predict_shape
    return tuple(
        sizes.smallest_input(trunk, sizes.write_shape(AFF, trunk, config.network.predict_shape))
    )


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin


def _plain(cascade: Cascade, size: int) -> None:
    with torch.no_grad():
        torch.sigmoid(cascade(torch.rand(1, 1, size, size, size))["affs"])


def _fast(cascade: Cascade, smallest: int) -> Callable[[Sequence[int], int], None]:
    """The network as ours runs it, its layout paid for: does so many passes over raw of a shape."""
    network = cascade.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]

    def passes(shape: Sequence[int], count: int) -> None:
        raw = torch.rand(1, 1, *shape)
        # one context: weights are cast once
        with torch.inference_mode(), precision.autocast("auto", torch.device("cpu")):
            for _ in range(count):
                network(raw)

    passes((smallest,) * 3, 1)
    return passes


def _prepare(
    folder: Path, trunk: UNet, shape: int, blocks: Sequence[int]
) -> tuple[Config, Cascade]:
    """A volume that takes exactly these blocks, a checkpoint of random weights, and the config that
    joins them."""
    extent = [
        n * w for n, w in zip(blocks, sizes.write_shape(AFF, trunk, (shape,) * 3), strict=True)
    ]
    roi = Roi((0, 0, 0), extent)
    raw = create_array(
        folder / "raw.zarr", "volumes/raw", roi=roi, voxel_size=(8, 8, 8), dtype=np.uint8
    )
    raw.write(np.random.default_rng(0).integers(0, 256, extent).astype(np.uint8), roi)
    config = Config(
        name="bench",
        dataset=Dataset(test=(Volume(path="raw.zarr", name="raw"),)),
        variant=AFF,
        network=Network(trunk=trunk, train_shape=(shape,) * 3, predict_shape=(shape,) * 3),
        predict=Predict(
            volumes=("test",),
            checkpoint="latest",
            precision="auto",
            channels_last=True,
            device="cpu",
        ),
        runs=str(folder / "runs"),
        data_root=str(folder),
    )
    torch.manual_seed(0)
    cascade = Cascade(AFF, trunk)
    content = {
        "config": config.model_dump_json(),
        "stage": "main",
        "iteration": 0,
        "model": dict(cascade.state_dict()),
        "normalisation": {},
    }
    checkpoint.save(paths.checkpoints(config, "main") / files.file_name(0), content)
    return config, cascade.eval()


if __name__ == "__main__":
    main()
