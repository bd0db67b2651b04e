"""Runs that tests disturb."""

import shutil

import pytest
from faulted import IN_BLOCKS, VOLUMES, Script, begin, other, take_prediction
from hashes import digests

from lsd.evaluation.run import evaluate
from lsd.prediction.run import predict
from lsd.segmentation.run import segment
from lsd.spec import paths


@pytest.fixture(scope="session")
def undisturbed(tmp_path_factory):
    """A function: the config and the digests of one of RUNS without workers, that nothing happened
    to."""
    made = {}

    def undisturbed(name):
        if name not in made:
            folder, volume = tmp_path_factory.mktemp("run"), name.removesuffix(IN_BLOCKS)
            if volume == name:
                config = begin(folder, VOLUMES[volume])
                predict(config)
            else:
                source, _ = undisturbed(volume)
                config = other(source, runs=folder, segment={"agglomeration": "blocks"})
                take_prediction(config, source)
            segment(config)
            evaluate(config)
            made[name] = config, digests(paths.run_folder(config))
        return made[name]

    return undisturbed


@pytest.fixture
def copy(undisturbed, tmp_path):
    """A function: the config of a copy of the undisturbed run of the synthetic volume, and the
    digests."""

    def copy():
        config, expected = undisturbed("synthetic")
        shutil.copytree(config.runs, tmp_path / "runs")
        return other(config, runs=tmp_path / "runs"), expected

    return copy


@pytest.fixture
def start(tmp_path):
    """Script, ended with the test."""
    scripts = []

    def start(*arguments, **named) -> Script:
        scripts.append(Script(tmp_path / "faults", *arguments, **named))
        return scripts[-1]

    yield start
    for script in scripts:
        script.close()


@pytest.fixture(scope="session")
def another(undisturbed, tmp_path_factory):
    """The segmentation of a run of the same affinities with other fragments."""
    config, _ = undisturbed("synthetic")
    folder = tmp_path_factory.mktemp("another") / "runs"
    shutil.copytree(config.runs, folder)
    fragments = config.segment.fragments.derive(min_seed_distance=4)
    return segment(other(config, runs=folder, segment={"fragments": fragments}))[0]
