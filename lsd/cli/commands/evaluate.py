"""Score segmentations against the truth: validation picks the threshold, test is scored with it;
table, JSON, figures, and a report to be read in a browser."""

from __future__ import annotations

from collections.abc import Iterable

from lsd.cli.command import Command, say
from lsd.spec import Config


def _evaluate(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.evaluation.run import evaluate
    from lsd.report.run import draw_all
    from lsd.report.table import heads_table, scores_table, skeletons_table
    from lsd.spec.paths import evaluation_file, sites_file

    evaluation = evaluate(config)
    shown = draw_all(config, evaluation)
    if evaluation.volumes:
        say(scores_table(evaluation))
    if evaluation.skeletons:
        say(skeletons_table(evaluation))
    if evaluation.heads:
        say(heads_table(evaluation))
    written = (evaluation_file(config), sites_file(config), *shown.files)
    say("written:", *(str(path) for path in written))
    say("report:", shown.report)


def _survey(config: Config, shared: bool) -> Iterable[str]:
    from lsd.cli.survey.evaluation import survey

    return survey(config, shared)


COMMAND = Command(
    "evaluate", __doc__, _evaluate, _survey, sections=("evaluate", "segment"), workers="evaluate"
)
