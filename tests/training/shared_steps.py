"""Steps of one, two and three processes from the same batches of noise, for test_shared_steps.

A process of its own, one of three: python -c "import shared_steps; shared_steps.main(FOLDER, 0)"
"""

import json
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import torch
import torch.distributed as dist
from tiny_run import AFFS, VOXEL_SIZE, config

from lsd import spec
from lsd.batches.pipeline import Batch
from lsd.losses.loss import HeadLoss
from lsd.spec import CosineGate, Head, PCGrad, Stage, Uncertainty, Variant
from lsd.spec.kinds import import_kinds
from lsd.training.devices.ranks import Ranks
from lsd.training.learner import Learner, new_learner
from lsd.training.step import step

STEPS = 3
HEADS = {
    "affs": AFFS,
    "far": Head(target=AFFS.target, loss=spec.Bce(weight=0.3)),
}


STRUCTURED = {
    "affs": Head(target=AFFS.target, loss=spec.Dice()),
    "joined": Head(target=AFFS.target, loss=spec.Malis(dense=spec.Bce())),
    "cut": Head(target=AFFS.target, loss=spec.Supervoxel()),
    "near": Head(target=spec.Embeddings(dimensions=4), loss=spec.Discriminative(gamma=0.1)),
}


class Penalised(spec.Loss):
    """Squared error over a scale that is learned, and what keeps it from growing."""

    kind: Literal["penalised"] = "penalised"
    behaviour: ClassVar[str] = "shared_steps:PenalisedLoss"


class PenalisedLoss(HeadLoss):
    def __init__(self, spec):
        super().__init__(spec)
        self.log_scale = torch.nn.Parameter(torch.tensor(0.3))

    def totals(self, sample):
        return {"weights": sample.own_weights.sum()}

    def forward(self, sample, totals):
        errors = (sample.own_values - sample.own_target).square() * sample.own_weights
        mean = errors.sum() / totals["weights"].clamp(min=1)
        return mean / self.log_scale.exp() + sample.share * self.log_scale.square()


def _stage(**fields) -> Stage:
    return Stage(heads=HEADS, **fields)


# name -> stage, batch size, fraction of voxels that is known, settings of training
CASES = {
    **{
        f"balanced {size} {known}": (_stage(), size, known, {"clip": 0.02, "ema": 0.9})
        for size in (1, 3, 4)
        for known in (0.7, 0.002)
    },
    "accumulated": (_stage(), 3, 0.5, {"accumulate": 2}),
    **{f"structured {size}": (Stage(heads=STRUCTURED), size, 0.5, {}) for size in (1, 3)},
    "half precision": (_stage(), 3, 0.5, {"precision": "fp16"}),
    "overflow": (_stage(), 3, 0.5, {"precision": "fp16"}),
    "parameters of a loss": (
        Stage(heads={"affs": Head(target=AFFS.target, loss=Penalised())}),
        3,
        0.3,
        {"ema": 0.9},
    ),
    "uncertainty": (_stage(weighting=Uncertainty()), 3, 0.5, {}),
    "pcgrad": (_stage(weighting=PCGrad()), 4, 0.5, {"accumulate": 2}),
    "pcgrad 1": (_stage(weighting=PCGrad()), 1, 0.5, {}),
    "cosine gate": (_stage(weighting=CosineGate(target="affs")), 3, 0.5, {}),
}


def main(path: str, rank: int) -> None:
    """Writes <folder>/<size>.json: of each case losses, norms, and weights after the last step."""
    folder = Path(path)
    torch.set_num_threads(1)
    import_kinds(["shared_steps"])
    for size in (1, 2, 3):
        if rank >= size:
            continue
        if size > 1:
            store = dist.FileStore(str(folder / f"store-{size}"), size)
            dist.init_process_group("gloo", store=store, rank=rank, world_size=size)
        found = {name: _run(folder, name, Ranks(rank, size, size)) for name in CASES}
        if size > 1:
            found = _agreed(found, size)
            dist.destroy_process_group()
        if rank == 0:
            (folder / f"{size}.json").write_text(json.dumps(found))


def _run(folder: Path, name: str, ranks: Ranks) -> dict[str, list[float]]:
    stage, size, known, fields = CASES[name]
    run = config(folder, name="run", batch_size=size, seed=3, **fields)
    run = run.derive(variant=Variant(stages=(stage,)), imports=("shared_steps",))
    learner = new_learner(run, stage)
    learner.ranks = ranks
    if name == "overflow":
        learner.scaler.load_state_dict({**learner.scaler.state_dict(), "scale": 2.0**40})
    share, each = ranks.share(size), run.train.accumulate
    batches = [
        _batch(stage, size, share, known=known, seed=number) if share else None
        for number in range(STEPS * each)
    ]
    updates = [step(learner, iter(batches[each * n : each * (n + 1)])) for n in range(STEPS)]
    return {
        "loss": [update.loss for update in updates],
        "heads": [loss for update in updates for loss in update.heads.values()],
        "norm": [update.gradient_norm for update in updates],
        "weights": _weights(learner),
        "scale": [learner.scaler.get_scale()],
    }


def _weights(learner: Learner) -> list[float]:
    own = [parameter.detach().flatten() for parameter in learner.parameters()]
    averages = [
        average.flatten()
        for one in (learner.average, learner.average_of_losses)
        for average in (one.weights.values() if one else ())
    ]
    return torch.cat([*own, *averages]).tolist()


def _agreed(found: dict, size: int) -> dict:
    """What all processes found, to the bit."""
    everyone: list = [None] * size
    dist.all_gather_object(everyone, found)
    # as text, since NaN is not NaN
    assert len({json.dumps(other) for other in everyone}) == 1, "processes drift apart"
    return found


def _batch(stage: Stage, size: int, share: range, *, known: float, seed: int) -> Batch:
    """A share of a batch; the first sample of each is not known at all, if there are others."""
    rng = np.random.default_rng(seed)
    out = (size, 3, 10, 10, 10)
    raw = rng.uniform(-1, 1, (size, 1, 18, 18, 18)).astype(np.float32)
    targets = {name: (rng.random(out) < 0.4).astype(np.float32) for name in stage.heads}
    weights = {
        name: ((rng.random(out) < known) * rng.uniform(0.5, 2, out)).astype(np.float32)
        for name in stage.heads
    }
    for weight in weights.values():
        weight[: size > 1] = 0
    labels = np.kron(rng.integers(0, 4, (size, 1, 2, 2, 2)), np.ones((1, 1, 5, 5, 5), int))
    where_known = np.ones(labels.shape, np.bool_)
    where_known[: size > 1] = False
    mine = slice(share.start, share.stop)
    return Batch(
        index=seed,
        raw=raw[mine],
        targets={name: target[mine] for name, target in targets.items()},
        weights={name: weight[mine] for name, weight in weights.items()},
        labels=labels.astype(np.uint64)[mine],
        known=where_known[mine],
        voxel_size=VOXEL_SIZE,
    )
