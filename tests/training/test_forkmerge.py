"""Branches that are merged: against the same written out with plain torch, and killed at every
point."""

import json
import signal

import numpy as np
import pytest
import torch
from checkpointed import FULL, assert_same, content_of, signal_at
from tiny_run import AFFS, LSDS, config, curve

from lsd.batches.pipeline import Batches
from lsd.cli.survey import training as survey
from lsd.cli.survey.words import duration
from lsd.network import sizes
from lsd.network.checkpoints import files
from lsd.spec import Boundary, ForkMerge, Head, Stage, Variant, paths
from lsd.training import step_time
from lsd.training.learner import new_learner
from lsd.training.loop import train
from lsd.training.modes import forkmerge
from lsd.training.modes.mode import training_mode
from lsd.training.validation import Validator

NEAR = Head(target=AFFS.target)
HEADS = {"lsds": LSDS, "affs": NEAR}
EVERY = ForkMerge(every=2, score="loss")
OF_LSDS, OF_AFFS = (f"stage_main.heads.head_{head}.weight" for head in ("lsds", "affs"))


def forked(folder, mode=EVERY, *, name: str = "run", heads=HEADS, **fields):
    run = config(folder, name=name, **{"iterations": 4} | fields)
    return run.derive(variant=Variant(stages=(Stage(heads=heads),)), train={"mode": mode})


def after(run, iteration: int) -> dict:
    return content_of(paths.checkpoints(run, "main") / files.file_name(iteration))


class Branch:
    """A network with its own Adam, as torch has it."""

    def __init__(self, run, learned: dict[str, float]) -> None:
        self.learned, stage = learned, run.variant.stages[0]
        self.network = new_learner(run, stage).cascade
        train = run.train
        self.adam = torch.optim.Adam(
            self.network.parameters(), lr=train.learning_rate, betas=train.betas, fused=True
        )

    def step(self, batch) -> None:
        logits = self.network(torch.from_numpy(batch.raw))
        loss = torch.zeros(())
        for head, factor in self.learned.items():
            known = torch.from_numpy(batch.weights[head]) > 0
            target = torch.from_numpy(batch.targets[head])
            loss = loss + factor * (logits[head].sigmoid() - target)[known].square().mean()
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()


def mean(branches, amounts) -> dict[str, torch.Tensor]:
    states = [branch.network.state_dict() for branch in branches]
    return {
        name: sum(amount * state[name] for amount, state in zip(amounts, states, strict=True))
        / sum(amounts)
        for name in states[0]
    }


def merge_by_hand(run, branches, scored) -> list[float]:
    """Weights of the branches in what they all become."""
    scratch = new_learner(run, run.variant.stages[0]).cascade

    def score(amounts) -> float:
        scratch.load_state_dict(mean(branches, amounts))
        return scored(scratch).score

    count = len(branches)
    alone = [score([float(other == place) for other in range(count)]) for place in range(count)]
    first, *others = sorted(range(count), key=alone.__getitem__)
    amounts = [float(place == first) for place in range(count)]
    for joined, place in enumerate(others, 1):
        share = sum(amounts) / joined
        options = [
            [factor * share if other == place else amounts[other] for other in range(count)]
            for factor in (0, 0.2, 0.4, 0.6, 0.8, 1)
        ]
        amounts = min(options, key=score)
    merged = mean(branches, amounts)
    for branch in branches:
        branch.network.load_state_dict(merged)
    return [amount / sum(amounts) for amount in amounts]


@pytest.mark.parametrize(("score", "rate"), [("loss", 0.1), ("segmentation", 0.02)])
def test_it_is_what_plain_torch_does(tmp_path, score, rate) -> None:
    """Three branches over two rounds: their weights, and which share each had."""
    heads = HEADS | {"boundary": Head(target=Boundary())}
    mode = ForkMerge(every=2, score=score, region="31:39, 2:20, 2:20")
    # at these rates branches lie on several sides of what is best
    run = forked(tmp_path, mode, heads=heads, learning_rate=rate)
    train(run, progress=False)
    stage, trunk, shape = run.variant.stages[0], run.network.trunk, run.network.train_shape
    region = run.derive(train={"validate_every": 1}, evaluate={"region": mode.region})
    scored = Validator(region, stage, heads=("affs",) if score == "loss" else None)
    learned = [{"affs": 1}, {"affs": 1, "lsds": 1}, {"affs": 1, "boundary": 1}]
    branches = [Branch(run, which) for which in learned]
    raw = sizes.raw_shape(run.variant, trunk, shape, stage="main")
    shares, threads = [], torch.get_num_threads()
    torch.set_num_threads(1)
    with Batches(run, "main", raw, sizes.output_shape(trunk, shape, training=True)) as batches:
        for iteration in range(1, 5):
            batch = next(batches)
            for branch in branches:
                branch.step(batch)
            if iteration % 2 == 0:
                shares.append(merge_by_hand(run, branches, scored))
    torch.set_num_threads(threads)
    content = after(run, 4)
    found = [
        [branch["share"] for branch in record["branches"].values()] for record in content["merges"]
    ]
    np.testing.assert_allclose(found, shares, rtol=1e-6)
    assert len({tuple(of_round) for of_round in found}) > 1, "something was chosen"
    for name, weight in branches[0].network.state_dict().items():
        torch.testing.assert_close(content["model"][name], weight, rtol=1e-3, atol=1e-5)
    moments = content["branches"][1]["optimizer"]["state"][0]["exp_avg"]
    own = branches[2].adam.state[next(branches[2].network.parameters())]["exp_avg"]
    torch.testing.assert_close(moments, own, rtol=1e-2, atol=1e-6)


FIELDS = FULL | {"iterations": 6, "checkpoint_every": 1}


@pytest.mark.parametrize(("dims", "iteration"), [("3d", 1), ("3d", 2), ("3d", 3), ("2d", 3)])
def test_stopped_in_a_round_or_after_it_and_resumed(tmp_path, monkeypatch, iteration, dims) -> None:
    straight = forked(tmp_path, name="straight", dims=dims, **FIELDS)
    train(straight, progress=False)
    broken = forked(tmp_path, name="broken", dims=dims, **FIELDS)
    with monkeypatch.context() as patch:
        signal_at(patch, iteration, signal.SIGTERM)
        with pytest.raises(KeyboardInterrupt):
            train(broken, progress=False)
    train(broken, progress=False)
    assert_same(after(straight, 6), after(broken, 6))
    texts = [
        (paths.run_folder(run) / "main" / "merges.md").read_text() for run in (straight, broken)
    ]
    assert texts[0] == texts[1]


class Killed(BaseException):
    """As if the process ended here: nothing is written any more."""


def _killed() -> BaseException:
    return Killed()


def _stopped() -> BaseException:
    """What it was told to be stopped by broke what it was about, as another process of the run."""
    signal.raise_signal(signal.SIGTERM)
    return RuntimeError("another process has gone")


PLACES = ["between branches", "while they are scored", "after a merge"]


@pytest.mark.parametrize(
    ("end", "place"),
    [*((_killed, place) for place in PLACES), *((_stopped, p) for p in PLACES[:2])],
)
def test_killed_at_any_point_and_resumed(tmp_path, monkeypatch, end, place) -> None:
    fields = FIELDS | {"checkpoint_every": 3}
    straight = forked(tmp_path, name="straight", **fields)
    train(straight, progress=False)
    broken = forked(tmp_path, name="broken", **fields)
    with monkeypatch.context() as patch:
        _kill(patch, place, end)
        with pytest.raises((Killed, KeyboardInterrupt)):
            train(broken, progress=False)
    train(broken, progress=False)
    assert_same(after(straight, 6), after(broken, 6))


def test_stopped_in_the_midst_of_the_first_iteration_nothing_is_left(tmp_path, monkeypatch) -> None:
    run = forked(tmp_path, **FIELDS)

    def ends(*_):
        raise _stopped()

    monkeypatch.setattr(forkmerge, "_seen_together", ends)
    with pytest.raises(KeyboardInterrupt, match="the same command begins anew"):
        train(run, progress=False)
    assert not list(paths.checkpoints(run, "main").glob("*.pt"))


def _kill(patch, place: str, end) -> None:
    """At the fourth iteration, which ends the second round; the checkpoint is of the third."""
    calls = [0]

    def kill_at(number, function):
        def counted(*args, **named):
            calls[0] += 1
            if calls[0] == number:
                raise end()
            return function(*args, **named)

        return counted

    if place == "between branches":
        patch.setattr(forkmerge, "step", kill_at(8, forkmerge.step))
    elif place == "while they are scored":
        patch.setattr(Validator, "__call__", kill_at(10, Validator.__call__))
    else:
        patch.setattr(forkmerge, "write_history", kill_at(2, forkmerge.write_history))


def test_branches_see_the_same_batches_and_differ_by_what_they_learn(tmp_path) -> None:
    run = forked(tmp_path, EVERY.derive(every=4), checkpoint_every=1, keep=9)
    train(run, progress=False)
    first, start = after(run, 1), new_learner(run, run.variant.stages[0]).cascade.state_dict()
    assert len(first["branches"]) == 1
    alone, both = first["model"], first["branches"][0]["model"]
    assert torch.equal(alone[OF_LSDS], start[OF_LSDS]), "it is not learned there"
    assert not torch.equal(both[OF_LSDS], start[OF_LSDS])
    assert not torch.equal(both[OF_AFFS], start[OF_AFFS])
    # the layer of affinities has the same gradient in both, since batch and weights are the same
    torch.testing.assert_close(alone[OF_AFFS], both[OF_AFFS])
    last = after(run, 4)
    assert_same(last["branches"][0]["model"], last["model"])
    moments = [state["optimizer"]["state"] for state in (last, last["branches"][0])]
    assert len(moments[0]) < len(moments[1]), "each keeps its own"
    assert last["iteration"] == 4
    assert len(curve(run, "main")) == 4
    assert len(curve(run, "main", "loss/lsds")) == 4


def test_averaged_weights_are_merged_as_weights_are(tmp_path) -> None:
    """And they are what is scored."""
    run = forked(tmp_path, ema=0.5)
    train(run, progress=False)
    content = after(run, 4)
    stage = run.variant.stages[0]
    learner = new_learner(run, stage)
    learner.restore({**content, "branches": []}, where="here")
    scored = Validator(run.derive(train={"validate_every": 1}), stage, heads=("affs",))
    with learner.averaged():
        score = scored(learner.cascade, learner.losses).score
    assert content["merges"][-1]["score"] == pytest.approx(score, rel=1e-5)
    assert scored(learner.cascade, learner.losses).score != pytest.approx(score, rel=1e-5)


def test_what_is_told_of_merges(tmp_path, caplog) -> None:
    caplog.set_level("INFO")
    run = forked(tmp_path, ForkMerge(every=2, score="loss", branches={"affs": 1, "lsds": 0.1}))
    train(run, progress=False)
    said = [message for message in caplog.messages if "branches merged" in message]
    assert [message.partition(":")[0] for message in said] == [
        "stage main, iteration 2", "stage main, iteration 4",
    ]  # fmt: skip
    assert "affs + 0.1 lsds scores " in said[0]
    table = (paths.run_folder(run) / "main" / "merges.md").read_text().splitlines()
    assert table[0] == (
        "| iteration | affs: score, share | affs + 0.1 lsds: score, share | merged: score |"
    )
    assert [line.split(" | ")[0] for line in table[2:]] == ["| 2", "| 4"]


def test_stages_without_the_target_and_others_are_trained_as_always(tmp_path) -> None:
    """The first of two has descriptors alone."""
    stages = (
        Stage(name="lsds", heads={"lsds": LSDS}),
        Stage(
            name="affs",
            reads=("raw", "lsds"),
            heads={"affs": NEAR, "boundary": Head(target=Boundary())},
        ),
    )
    variant = Variant(stages=stages)
    run = config(tmp_path, name="run", iterations=2, mode="plain").derive(variant=variant)
    merging = run.derive(name="merging", train={"mode": EVERY})
    for each in (run, merging):
        train(each, progress=False)
    one, other = (
        content_of(paths.checkpoints(each, "lsds") / files.file_name(2)) for each in (run, merging)
    )
    assert_same(one, other)
    assert not (paths.run_folder(merging) / "lsds" / "merges.md").exists()
    assert (paths.run_folder(merging) / "affs" / "merges.md").exists()


@pytest.mark.parametrize(
    ("mode", "fields", "message"),
    [
        ({"every": 3}, {}, r"train\.iterations=4 is no multiple of train\.mode\.every=3.*=3 or 6"),
        ({"every": 8}, {}, r"take train\.iterations=8"),
        ({"target": "aff"}, {}, "wants a stage with the target 'aff' and another head"),
        ({"branches": ({"lsds": 1},)}, {}, "does not learn the target; add it, as in {'affs': 1}"),
        ({"branches": ({"affs": 1, "lsd": 1},)}, {}, "'lsd' is none of the heads: lsds, affs"),
        ({"branches": ({"affs": 1},)}, {}, "two branches are the same; there are: affs"),
        ({"factors": (2,)}, {}, "less than or equal to 1"),
    ],
)
def test_what_cannot_be_is_refused_at_once(tmp_path, mode, fields, message) -> None:
    with pytest.raises(ValueError, match=message):
        forked(tmp_path, {"kind": "forkmerge", "every": 2, **mode}, **fields)


def test_it_wants_something_to_validate_on(tmp_path) -> None:
    with pytest.raises(ValueError, match=r"dataset\.validate is empty; name one there"):
        forked(tmp_path).derive(dataset={"validate": ()})
    with pytest.raises(ValueError, match="wants a stage with one head of affinities"):
        config(tmp_path, "aff", mode=EVERY, iterations=4)


def test_a_segmentation_of_other_heads_is_no_score_of_a_stage(tmp_path) -> None:
    run = forked(tmp_path, ForkMerge(every=2)).derive(segment={"affinities": "elsewhere"})
    with pytest.raises(ValueError, match=r"reads other heads than stage 'main' has \(lsds, affs\)"):
        train(run, progress=False)


def test_a_dry_run_counts_the_steps_of_all_branches(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(step_time, "seconds_of_a_pass", lambda _: 40.0)
    run = forked(tmp_path, heads=HEADS | {"boundary": Head(target=Boundary())}, accumulate=2)
    stage, shape = run.variant.stages[0], run.network.train_shape
    learner = new_learner(run, stage)
    alone = step_time.memory_of_a_step(learner, shape)
    training_mode(run.train.mode).prepare(learner)
    [said] = survey._how_long(run, stage, learner, 4)
    assert f"about {duration(4 * 40 * 2 * 3)}: a guess" in said
    numbers = sum(parameter.numel() for parameter in learner.cascade.parameters())
    # weights, gradients and two averages of Adam
    assert step_time.memory_of_a_step(learner, shape) - alone == numbers * 16 * 2


def test_it_is_not_written_where_it_is_the_usual_one(tmp_path) -> None:
    plain = config(tmp_path)
    assert "mode" not in json.loads(plain.model_dump_json())["train"]
    assert plain.derive(train={"mode": "plain"}) == plain
    run = forked(tmp_path)
    assert type(run).model_validate_json(run.model_dump_json()) == run
