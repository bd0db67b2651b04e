"""Score segmentations against the truth: validation picks the threshold, test is scored with it;
table, JSON and figures.

python evaluate.py [-c my_config.py] [key=value ...]
"""

from lsd import cli
from lsd.spec import Config


def command(config: Config) -> None:
    """Imports late, so that a wrong config is refused at once."""
    from lsd.evaluation.run import evaluate
    from lsd.report.run import draw
    from lsd.report.table import scores_table
    from lsd.spec.paths import evaluation_file

    evaluation = evaluate(config)
    files = draw(config, evaluation)
    cli.say(scores_table(evaluation))
    cli.say("written:", *(str(path) for path in (evaluation_file(config), *files)))


if __name__ == "__main__":
    cli.main(command, __doc__)
