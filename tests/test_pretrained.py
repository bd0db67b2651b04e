"""What is given away is what its README says."""

import hashlib
import re
from pathlib import Path

import pytest

from config.examples.fib25_mtlsd import config as fib25
from config.examples.snemi3d_mtlsd import config as snemi3d
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint

FOLDER = Path(__file__).parents[1] / "pretrained"
ROWS = dict(
    re.findall(
        r"^\| `(\w+\.pt)` .*`([0-9a-f]{64})` \|$", (FOLDER / "README.md").read_text(), re.MULTILINE
    )
)


def test_every_file_is_named() -> None:
    assert sorted(ROWS) == sorted(path.name for path in FOLDER.glob("*.pt"))


@pytest.mark.parametrize("name", ROWS)
def test_a_file_is_small_and_has_the_hash_that_is_named(name) -> None:
    content = (FOLDER / name).read_bytes()
    assert len(content) <= 5 * 2**20
    assert hashlib.sha256(content).hexdigest() == ROWS[name]


@pytest.mark.parametrize("name", ROWS)
def test_a_file_says_nothing_of_the_machine_it_was_trained_on(name) -> None:
    """No text in it is, or holds, an absolute path."""
    content = {
        key: value for key, value in checkpoint.load(FOLDER / name).items() if key != "model"
    }
    assert not re.search(r"""["'](/|[A-Za-z]:\\|~)""", repr(content))


@pytest.mark.parametrize(
    ("name", "example", "voxel_size", "millions"),
    [
        ("fib25_mtlsd.pt", fib25, (10, 10, 10), 1.8),
        ("snemi3d_mtlsd.pt", snemi3d, (30, 6, 6), 1.6),
    ],
)
def test_the_network_is_that_of_the_example(name, example, voxel_size, millions) -> None:
    restored = from_checkpoint(FOLDER / name)
    assert restored.config.network == example.network
    assert restored.config.variant == example.variant
    assert restored.config.segment == example.segment
    assert restored.voxel_size == voxel_size
    weights = sum(weight.numel() for weight in restored.cascade.parameters())
    assert round(weights / 1e6, 1) == millions
