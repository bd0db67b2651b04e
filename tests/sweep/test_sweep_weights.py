"""A sweep goes by what the checkpoints, and the functions of its own, hold that it names."""

import pytest

from lsd.network.checkpoints import checkpoint
from lsd.spec.code import module_digest
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


def test_a_fingerprint_is_of_the_code_that_gives_further_numbers(
    sweep, tmp_path, monkeypatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    config, seen = sweep.all_runs()[0].config, []
    for number in (1, 2, 1):
        code = f"def numbers(config, evaluation):\n    return {{'number': {number}}}\n"
        (tmp_path / "numbers_of_a_lab.py").write_text(code)
        # another command
        module_digest.cache_clear()
        seen.append(fingerprint(config, None, "numbers_of_a_lab:numbers"))
    assert seen[0] == seen[2] != seen[1]
