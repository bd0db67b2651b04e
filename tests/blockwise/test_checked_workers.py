"""Settings of workers that would have no effect are told."""

import pytest

from lsd.blockwise.running.checked import check_workers
from lsd.spec import Workers


def test_a_launcher_without_a_number_of_workers_is_refused() -> None:
    with pytest.raises(ValueError, match=r"segment\.workers\.launch is set, .*segment\.workers\.c"):
        check_workers(Workers(launch="slurm"), section="segment")


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"count": 2, "options": "--mem=32G"}, "options"),
        ({"count": 2, "options": "--mem=32G", "launch": "ssh node {quoted}"}, "options"),
        ({"host": "head-node"}, "host"),
    ],
)
def test_what_has_no_effect_is_told_with_the_way_out(caplog, settings, field) -> None:
    check_workers(Workers(**settings), section="evaluate")
    [message] = caplog.messages
    assert message.startswith(f"evaluate.workers.{field} has no effect here")
    assert "evaluate.workers.launch" in message


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"count": 4, "timeout": 60},
        {"count": 4, "launch": "slurm", "options": "--mem=32G", "host": "head-node"},
        {"count": 1, "launch": "submit {options} {quoted}", "options": "-q long"},
    ],
)
def test_nothing_is_told_of_what_has_an_effect(caplog, settings) -> None:
    check_workers(Workers(**settings), section="segment")
    assert not caplog.messages
