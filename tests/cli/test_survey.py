"""--dry-run: says what would be done at every stage of a run, and leaves the disk as it is."""

import os
import re
from pathlib import Path
from typing import ClassVar, Literal

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.cli.commands import evaluate, predict, segment, train
from lsd.cli.survey.words import about, amount, duration, times
from lsd.evaluation.run import evaluate as evaluated
from lsd.losses.loss import HeadLoss
from lsd.prediction.run import predict as predicted
from lsd.segmentation.results import other_than_asked
from lsd.segmentation.run import segment as segmented
from lsd.spec import (
    Affinities,
    Config,
    Dataset,
    Head,
    Loss,
    Network,
    Predict,
    ResidualUNet,
    Segment,
    Stage,
    Synthetic,
    Target,
    Train,
    UNet,
    Variant,
    Volume,
    Workers,
    paths,
)
from lsd.targets.target import TargetKind
from lsd.training.loop import train as trained
from lsd.training.messages import warn_of_no_decoding
from lsd.training.step_time import smaller_input, work
from lsd.volumes.create import create_array

COMMANDS = {module.COMMAND.name: module.COMMAND for module in (train, predict, segment, evaluate)}


def volume(seed: int, **fields) -> Volume:
    made = Synthetic(seed=seed, shape=(24, 32, 32))
    return Volume(synthetic=made, labels="volumes/labels/neuron_ids", **fields)


@pytest.fixture
def config(tmp_path) -> Config:
    return Config(
        name="run",
        dataset=Dataset(train=volume(1, region="0:20"), validate=volume(2), test=volume(3)),
        variant=Variant(stages=Stage(heads={"affs": Head(target=Affinities())})),
        network=Network(
            trunk=ResidualUNet(widths=(4, 8), factors=((2, 2, 2),), context=(4, 4, 4)),
            train_shape=(16, 16, 16),
        ),
        train=Train(iterations=4, workers=0, threads=1, device="cpu", log_every=1),
        predict=Predict(threads=1, device="cpu", shape=(24, 24, 24)),
        segment=Segment(thresholds=(0.3, 0.6)),
        runs=str(tmp_path / "runs"),
        data_root=str(tmp_path / "data"),
    )


def files(folder: Path) -> dict[str, float]:
    return {
        str(Path(root) / name): (Path(root) / name).stat().st_mtime_ns
        for root, below, names in os.walk(folder)
        for name in (*names, *below)
    }


def said(command: str, config: Config, *, shared: bool = False) -> str:
    """What a dry run says, which leaves everything as it was."""
    folder = Path(config.runs).parent
    before = files(folder)
    text = "\n".join(COMMANDS[command].survey(config, shared))
    assert files(folder) == before
    assert "nothing was changed" in text
    return text


def test_before_anything_is_there(config) -> None:
    text = said("train", config)
    assert "synthetic_train: 0:24, 0:32, 0:32, voxels of 10x10x10 nm, synthetic" in text
    assert "it would be made first" in text
    assert "network: " in text
    assert "parameters, 3D" in text
    assert "stage main: reads raw, gives affs (3 channels); raw 16x16x16, input 16x16x16" in text
    assert "iterations: 0 of 4 are done, 4 are left" in text
    assert "a guess, from a pass of 16x16x16" in text
    assert "memory of a step: about" in text
    assert re.search(r"head affs: known at \d+% of the sample, loss at the start about 0", text)
    text = said("predict", config)
    assert "no best checkpoint in" in text
    assert "untrained" in text
    assert re.search(r"synthetic_test: \d+ blocks of \d+x\d+x\d+, each from 20x24x24; 0 done", text)
    assert "a guess, from a small block predicted here and now" in text
    assert "there is no prediction of volume 'synthetic_test'" in said("segment", config)
    assert "synthetic_test: there is no segmentation yet" in said("evaluate", config)


def test_a_scale_of_other_axes_is_refused_before_the_volume_is_made(config) -> None:
    flat = config.derive(
        network=Network(
            trunk=ResidualUNet(
                widths=(4, 8), factors=((2, 2),), kernel=(3, 3), context=(4, 4), first_kernel=(3, 3)
            ),
            train_shape=(16, 16),
        ),
        dataset={"train": (volume(1, scale=(2, 2)),)},
        predict={"shape": None},
    )
    with pytest.raises(ValueError, match=r"scale \(2, 2\) is of 2 axes, the volume of 3"):
        said("train", flat)


@pytest.mark.slow
def test_a_run_from_its_begin_to_its_end(config, tmp_path) -> None:
    trained(config.derive(train={"iterations": 2}), progress=False)
    text = said("train", config)
    assert "iterations: 2 of 4 are done, 2 are left" in text
    assert "iterations a second, as the run noted" in text
    assert "0:20, 0:32, 0:32, voxels of 10x10x10 nm, raw uint8 of 24x32x32 (24.6 KB)" in text
    assert "labelled: 0:20, 0:32, 0:32" in text
    trained(config, progress=False)
    assert "all 4 iterations are done" in said("train", config)
    predicted(config, progress=False)
    text = said("predict", config)
    assert "iteration 4" in text
    assert "0 left" in text
    assert "all blocks are done" in text
    other = config.derive(predict={"augment": "flips"})
    text = said("predict", other)
    assert "settings.augment: none there, flips asked for" in text
    assert re.search(r"\d+ blocks? done with other settings or inputs would be made anew: ", text)
    assert "8 passes each" in text
    assert " by 2 processes" in said(
        "predict", other.derive(predict={"workers": Workers(count=2)}), shared=True
    )
    text = said("segment", config)
    assert "synthetic_test: affs 3x24x32x32 uint8" in text
    assert "no step is begun" in text
    assert "from a piece that was segmented now" in text
    segmented(config)
    assert "fragments: 1 of 1 block done" in said("segment", config)
    assert "synthetic_test: scored against its labels" in said("evaluate", config)
    more = config.derive(segment={"thresholds": (0.3, 0.7)})
    assert "would be" not in said("segment", config) + said("segment", more)
    by_mean = config.derive(segment={"scoring": "mean_all"})
    lines = said("segment", by_mean)
    assert "would be made anew: segment.scoring" in lines
    with pytest.raises(ValueError, match=r"is not what .* would give now: segment\.scoring"):
        said("evaluate", by_mean)
    coarse = config.derive(segment={"fragments": {"min_seed_distance": 3}})
    assert "would be made anew: segment.fragments.min_seed_distance" in said("segment", coarse)
    assert other_than_asked(config, "synthetic_test", tmp_path / "other.zarr") == [
        "segment.decoder: another there, watershed asked for"
    ]
    evaluated(config)
    assert f"{paths.evaluation_file(config)} is there" in said("evaluate", config)


class Broken(Target):
    """What fails when it is computed, and not before."""

    kind: Literal["broken"] = "broken"
    behaviour: ClassVar[str] = "test_survey:BrokenTarget"


class BrokenTarget(TargetKind[Broken]):
    """Looks for an array that nobody has."""

    def channels(self, dims):
        return 1

    def compute(self, sample):
        return sample.arrays["distance"], sample.inside[None]


class Endless(Loss):
    """Infinite where the network knows nothing."""

    kind: Literal["endless"] = "endless"
    behaviour: ClassVar[str] = "test_survey:EndlessLoss"


class EndlessLoss(HeadLoss):
    """1 / 0."""

    def forward(self, sample, totals):
        return 1 / sample.own_logits.square().sum()


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (Head(target=Broken()), "(?s)broken.*distance"),
        (Head(target=Affinities(), loss=Endless()), "the loss of head affs is inf"),
    ],
)
def test_targets_and_losses_are_tried(config, head, says) -> None:
    variant = Variant(stages=Stage(heads={"affs": head}))
    broken = config.derive(variant=variant, imports=("test_survey",))
    with pytest.raises(ValueError, match=says):
        said("train", broken)
    assert not Path(config.data_root).exists()


def test_a_large_network_takes_seconds(config) -> None:
    """Of which a pass at its own size takes minutes."""
    variant = config.variant
    paper = Network(trunk=UNet(), train_shape=(196, 196, 196), predict_shape=(268, 268, 268))
    own = config.derive(network=paper)
    stage = variant.stages[0]
    small = smaller_input(own, stage)
    assert work(own, stage, small) < work(own, stage, (196, 196, 196)) / 5
    assert smaller_input(config, stage) == (16, 16, 16)


def test_what_the_command_would_refuse_is_refused(config) -> None:
    missing = config.derive(dataset={"train": Volume(path="nothing.zarr", labels="labels")})
    with pytest.raises(ValueError, match=r"nothing\.zarr"):
        said("train", missing)
    with pytest.raises(ValueError, match="device 'cuda:9' is not available"):
        said("train", config.derive(train={"device": "cuda:9"}))


def test_a_prediction_that_would_be_refused_is_refused(config, tmp_path, caplog) -> None:
    roi = Roi((0, 0, 0), (24, 32, 32))
    for name, value in (("flat", 7), ("varied", None)):
        array = create_array(
            tmp_path / f"{name}.zarr", "raw", roi=roi, voxel_size=(40, 4, 4), dtype=np.uint8
        )
        noise = np.random.default_rng(3).integers(0, 256, roi.shape).astype(np.uint8)
        array.write(np.full(roi.shape, value, np.uint8) if value else noise, roi)
    trained(config, progress=False)

    def of(name: str, **fields) -> Config:
        test = (Volume(path=str(tmp_path / f"{name}.zarr"), raw="raw", name=name),)
        return config.derive(dataset={"test": test}, predict={"volumes": (name,), **fields})

    with pytest.raises(ValueError, match=r"raw, .*, is one value everywhere"):
        said("predict", of("flat"))
    small = {"small": "refuse", "region": "0:24, 0:32, 0:32"}
    assert "voxels of 40x4x4 nm" in said("predict", of("varied", **small))
    # what the command warns of
    assert "'varied' has voxels of 40x4x4 nm, the network was trained on 10x10x10" in caplog.text
    thin = of("varied", small="refuse")
    thin = thin.derive(dataset={"test": [thin.dataset.test[0].derive(scale=(4, 1, 1))]})
    for what in (lambda: said("predict", thin), lambda: predicted(thin, progress=False)):
        with pytest.raises(ValueError, match=r"the network reads at least .*predict\.small=pad"):
            what()


def test_what_is_sent_elsewhere_is_tried_with_the_device_that_is_here(config) -> None:
    sent = config.derive(
        predict={"device": "cuda", "workers": {"count": 2, "launch": "slurm"}},
        train={"device": "cuda", "hosts": {"count": 2, "launch": "slurm"}, "batch_size": 2},
    )
    assert "3D, tried here on " in said("predict", sent, shared=True)
    assert "memory of a step: about" in said("train", sent)


def test_processes_that_share_a_run(config) -> None:
    assert "shared by" not in said("train", config)
    shared = said("train", config.derive(train={"devices": 2, "batch_size": 1}))
    assert "every batch is shared by 2 processes of this machine" in shared
    assert "warning: train.batch_size=1 is shared by 2 processes, so 1 of them" in shared
    hosts = {"count": 2, "launch": "slurm"}
    sent = said("train", config.derive(train={"devices": 3, "batch_size": 6, "hosts": hosts}))
    assert "by 6 processes, 3 on each of 2 machines that train.hosts.launch starts" in sent


def test_a_decoder_that_reads_what_is_not_trained(config, caplog) -> None:
    """Training warns, for another decoder may be meant; segmentation could only fail."""
    other = config.derive(segment={"affinities": "near"})
    reason = "segment.affinities names 'near'; heads with affinities: affs"
    warn_of_no_decoding(other)
    assert f"{reason}; training goes on, and `lsd segment` will refuse this" in caplog.text
    caplog.clear()
    warn_of_no_decoding(config)
    assert not caplog.text
    assert f"warning: {reason}" in said("train", other)
    assert "warning" not in said("train", config)
    with pytest.raises(ValueError, match=reason):
        said("segment", other)


def test_words() -> None:
    assert [amount(n) for n in (0, 999, 1000, 1.5e9, 2e16)] == [
        "0 bytes", "999 bytes", "1 KB", "1.5 GB", "20 PB",
    ]  # fmt: skip
    assert [duration(n) for n in (0.2, 5.25, 50, 130, 3600, 9000, 86_400, 400_000)] == [
        "a second or less", "5.2 s", "50 s", "2.2 min", "60 min", "2.5 h", "24 h", "4.63 days",
    ]  # fmt: skip
    assert (about(0.2), about(130)) == ("a second or less", "about 2.2 min")
    assert times((5.24, 4, 4)) == "5.24x4x4"
