"""What training tells: once, and only what is so."""

from tiny_run import config

from lsd.cli.survey.training import survey
from lsd.network.checkpoints import checkpoint
from lsd.training.loop import train
from lsd.training.progress import Progress


def test_validation_without_volumes_is_told_once_for_all_stages(tmp_path, caplog) -> None:
    run = config(tmp_path, "acrlsd", iterations=1, validate_every=1)
    assert len(run.variant.stages) == 2
    train(run.derive(dataset=run.dataset.derive(validate=())), progress=False)
    [message] = [text for text in caplog.messages if "dataset.validate is empty" in text]
    assert message.startswith("train.validate_every=1 has no effect")


def test_a_run_that_goes_on_without_validation_does_not_say_that_it_validates(
    tmp_path, monkeypatch
) -> None:
    activities = []
    doing = Progress.doing

    def noting(self, activity):
        activities.append(activity)
        return doing(self, activity)

    monkeypatch.setattr(Progress, "doing", noting)
    run = config(tmp_path, iterations=1, validate_every=1)
    train(run, progress=False)
    assert activities == ["validating"]
    activities.clear()
    longer = run.derive(train={"iterations": 2, "validate_every": 0})
    train(longer, progress=False)
    assert activities == []
    # neither where nothing is to be scored again
    train(longer.derive(train={"iterations": 3, "validate_every": 9}), progress=False)
    assert activities == ["validating"], "of the last iteration alone"


def test_a_run_that_goes_on_without_validation_says_which_checkpoint_stays_the_best(
    tmp_path, caplog
) -> None:
    """Else the iterations from there on are trained for nothing, without a word."""
    run = config(tmp_path, "lsd", iterations=1, validate_every=1)
    train(run, progress=False)
    assert not [text for text in caplog.messages if "best.pt stays" in text]
    best = train(run.derive(train={"iterations": 2, "validate_every": 0}), progress=False)
    [said] = [text for text in caplog.messages if "best.pt stays" in text]
    assert "of iteration 1; predict.checkpoint=latest" in said
    assert checkpoint.load(best)["iteration"] == 1


def test_a_single_iteration_is_not_told_in_the_plural(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=1)
    caplog.set_level("INFO")
    train(run, progress=False)
    caplog.clear()
    train(run, progress=False)
    assert any("main: its only iteration is done" in text for text in caplog.messages)


def test_voxels_of_another_size_to_validate_with_are_told(tmp_path, caplog) -> None:
    run = config(tmp_path, iterations=1, validate_every=1)
    [own] = run.dataset.validate
    coarse = own.derive(voxel_size=(10, 10, 20))
    other = run.derive(name="other", dataset={"validate": [coarse]})
    words = "voxels of 10x10x20 nm, the network was trained on 10x10x10: "
    for dry in (lambda each: "\n".join(survey(each, shared=False)), _told(caplog)):
        assert words in dry(other)
        assert "the network was trained on" not in dry(run)


def _told(caplog):
    def told(run):
        caplog.clear()
        train(run, progress=False)
        return caplog.text

    return told
