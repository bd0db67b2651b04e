"""Runs that tests disturb."""

import shutil

import pytest
from faulted import RUNS, Script, begin, other
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
            config = begin(tmp_path_factory.mktemp("run"), *RUNS[name])
            predict(config)
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
