"""`import lsd`: what people use in a notebook, loaded when it is first asked for."""

import doctest
import importlib
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import lsd

ROOT = Path(__file__).parents[1]
FUNCTIONS = [name for name in lsd.__all__ if name != "spec"]
HEAVY = ("torch", "numba", "gunpowder", "zarr", "numpy", "pydantic", "skimage", "daisy")


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True
    )
    return done.stdout


def test_importing_it_loads_nothing() -> None:
    said = run(
        "import sys, time\nbegin = time.perf_counter()\nimport lsd\ndir(lsd), lsd.__all__\n"
        f"print(time.perf_counter() - begin, [m for m in {HEAVY} if m in sys.modules])"
    )
    seconds, loaded = said.split(" ", 1)
    assert loaded.strip() == "[]"
    assert float(seconds) < 0.1


@pytest.mark.parametrize(
    "name",
    ["descriptors", "affinities", "occupancy", "compare", "error_sites", "locate", "open_volume"],
)
def test_what_needs_no_network_loads_none(name) -> None:
    said = run(f"import sys, lsd\nlsd.{name}\nprint('torch' in sys.modules)")
    assert said == "False\n"


def test_all_that_is_there_is_told() -> None:
    assert set(dir(lsd)) >= {*lsd.__all__, "__doc__", "__version__"}
    assert not [name for name in dir(lsd) if name.startswith("_") and not name.startswith("__")]
    for name in lsd.__all__:
        assert f"lsd.{name} " in lsd.__doc__
        assert getattr(lsd, name) is getattr(lsd, name)
    with pytest.raises(AttributeError, match=r"module 'lsd' has no 'segmnt'; it has: .*affinities"):
        lsd.segmnt  # noqa: B018
    assert not hasattr(lsd, "no_such_name")


def test_rooms_stay_modules() -> None:
    said = run(
        "import lsd\nfrom lsd import spec, segmentation\nimport lsd.volumes.array\n"
        "print(lsd.spec is spec, callable(lsd.segment), lsd.segmentation is segmentation)"
    )
    assert said == "True True True\n"


@pytest.mark.parametrize(
    ("name", "begins"),
    [
        ("EmbeddingLoss", "(*, alpha=1.0, beta=1.0, gamma=0.001, dv=0.0, dd=1.5)"),
        ("MalisLoss", "(neighborhood)"),
        ("SupervoxelLoss", "(neighborhood=None, *, mode='convex', alpha=0.5, w_split=0.5, w_merge"),
        ("descriptors", "(labels, *, voxel_size, sigma, downsample=1, components=None, mode='gau"),
        ("affinities", "(labels, neighborhood, *, mask=None)"),
        ("occupancy", "(labels, offsets, *, mode='instance', mask=None)"),
        ("consensus", "(prediction, offsets, *, weights=None"),
        ("fragments", "(affs, *, mask=None, in_xy=False, threshold=0.5, min_seed_distance=10, "),
        ("agglomerate", "(affs, fragments, *, scoring='mean', "),
        ("compare", "(segmentation, truth, *, ignore=(0,), background='label', "),
        ("error_sites", "(segmentation, truth, *, voxel_size=1, count=50, ignore=(0,), "),
        ("open_volume", "(path, raw='volumes/raw', labels=None, *, labels_mask=None, voxel_size="),
        ("locate", "(segmentation, confidence=None, *, voxel_size, offset=0.0, min_size=0, "),
        ("load", "(checkpoint, imports=())"),
        ("segment", "(affs, *, neighborhood=None, threshold=0.5, mask=None, decoder='watershed'"),
    ],
)
def test_signatures(name, begins) -> None:
    signature = inspect.signature(getattr(lsd, name))
    bare = signature.replace(
        parameters=[p.replace(annotation=p.empty) for p in signature.parameters.values()],
        return_annotation=signature.empty,
    )
    assert str(bare).startswith(begins)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_help_is_enough(name) -> None:
    """Shapes or files, errors, and every parameter by its name."""
    function = getattr(lsd, name)
    doc = inspect.getdoc(function)
    assert "Raises ValueError" in doc
    assert ">>>" in doc
    for parameter in inspect.signature(function).parameters:
        assert parameter in doc.replace("`", ""), parameter


def examples():
    from lsd.notebook.network import Network

    finder = doctest.DocTestFinder(recurse=False)
    of = {name: getattr(lsd, name) for name in FUNCTIONS} | {"predict": Network.predict}
    return [
        pytest.param(test, id=name)
        for name, function in of.items()
        for test in finder.find(function, name, module=importlib.import_module(function.__module__))
    ]


@pytest.mark.parametrize("example", examples())
def test_the_example_of_the_help(example, monkeypatch) -> None:
    """As it is written, in the folder of the checkout."""
    monkeypatch.chdir(ROOT)
    assert example.examples
    said = []
    runner = doctest.DocTestRunner(optionflags=doctest.NORMALIZE_WHITESPACE)
    failed = runner.run(example, out=said.append).failed
    assert not failed, "".join(said)
