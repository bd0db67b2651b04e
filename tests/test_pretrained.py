"""What is given away is what its README says."""

import hashlib
import re
from pathlib import Path

import pytest

from config.examples.fib25_mtlsd import config
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


def test_the_network_is_that_of_the_example() -> None:
    restored = from_checkpoint(FOLDER / "fib25_mtlsd.pt")
    assert restored.config.network == config.network
    assert restored.config.variant == config.variant
    assert restored.config.segment == config.segment
    assert restored.voxel_size == (10, 10, 10)
    assert round(sum(weight.numel() for weight in restored.cascade.parameters()) / 1e6, 1) == 1.8
