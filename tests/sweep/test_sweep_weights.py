"""A sweep goes by what the checkpoints hold that a config names."""

import pytest

from lsd.network.checkpoints import checkpoint
from lsd.sweep.basis import fingerprint


@pytest.mark.parametrize(
    "named",
    [
        lambda file: {"train": {"init": {"main": file}}},
        lambda file: {"predict": {"checkpoint": file}},
    ],
)
def test_a_fingerprint_is_of_the_weights_that_a_config_names(sweep, tmp_path, named) -> None:
    file = tmp_path / "named.pt"
    config = sweep.all_runs()[0].config.derive(**named(str(file)))
    seen = []
    for iteration in (1, 2, 1):
        content = {"config": "{}", "stage": "main", "iteration": iteration}
        checkpoint.save(file, {**content, "model": {}, "normalisation": {}})
        seen.append(fingerprint(config, None, None))
    assert seen[0] == seen[2] != seen[1]
