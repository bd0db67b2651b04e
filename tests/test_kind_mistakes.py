"""A mistake in a kind of one's own ends in a sentence: which kind, the file and line, the error."""

import importlib
import itertools
import re
import sys
import textwrap

import numpy as np
import pytest
from outside_run import make_config

from lsd import cli, spec
from lsd.arrays.contingency import Contingency
from lsd.cli.commands.train import COMMAND
from lsd.evaluation.metric import scoring
from lsd.losses.mse import MseLoss
from lsd.segmentation.decode import decode
from lsd.spec import kinds
from lsd.spec.blame import KindError
from lsd.spec.kinds import behaviour
from lsd.targets.affinities import AffinityTarget
from lsd.training.loop import train
from lsd.volumes.containers import open_file

FAMILIES = {
    "target": spec.Target,
    "loss": spec.Loss,
    "trunk": spec.Trunk,
    "augmentation": spec.Augmentation,
    "format": spec.Format,
    "metric": spec.Metric,
    "decoder": spec.Decoder,
    "scoring": spec.Scoring,
}
BEGIN = """
from typing import ClassVar, Literal
import numpy as np
import torch
from torch import nn
from funlib.geometry import Coordinate
from lsd import spec
from lsd.arrays.offsets import views
from lsd.batches.augmentations.augmentation import AugmentationKind, RawAugmentation
from lsd.batches.augmentations.deform import GeometricAugmentation
from lsd.evaluation.metric import TableMetric
from lsd.evaluation.score import Score
from lsd.losses.loss import HeadLoss
from lsd.network.levels import Levels
from lsd.network.trunks.trunk import Architecture
from lsd.segmentation.decoders.blocks import BlockDecoder
from lsd.segmentation.scoring.scoring import EdgeScoring
from lsd.targets.activation import Activation
from lsd.targets.target import TargetKind
from lsd.volumes.formats.format import FileArray, FileFormat

class Spec{n}(spec.{family}):
    kind: Literal["{noun}{n}"] = "{noun}{n}"
    behaviour: ClassVar[str] = "{module}:Written"
"""
ACTIVATION = """
class Own(Activation):
    def __call__(self, logits):
        return {call}
    def inverse(self, values):
        return values
"""
SIMPLE = "def channels(self, dims):\n        return 1\n"
COMPUTE = (
    "def compute(self, sample):\n        return sample.labels[None] * 0.0, sample.inside[None]"
)
CHANNEL = f"class Written(TargetKind):\n    {SIMPLE}    {COMPUTE}\n"
LOSS = "class Written(HeadLoss):\n    def forward(self, sample, totals):\n"
TRUNK = """
    dims = property(lambda self: 3)
class Net(nn.Module):
    def __init__(self, maps):
        super().__init__()
        self.layer = nn.Conv3d(maps, 2, 3)
    def forward(self, x):
        return self.layer({x})
class Written(Architecture):
    def module(self, in_channels):
        return {module}
    @property
    def levels(self):
        return {levels}
"""
RAW = "class Written(RawAugmentation):\n    def change(self, raw, rng):\n"
FORMAT = """
class Lazy:
    shape, dtype = (3, 4, 5), np.dtype("u1")
    def __getitem__(self, slices):
        return 1 / 0
class Written(FileFormat):
    reads, is_single = "bad file", True
    def claims(self, path):
        return path.suffix == ".bad" and {claims}
    def open(self, path, name):
        return FileArray(Lazy(), files=[path], attrs={attrs})
"""
SCORE = """
class Own(Score):
    objective = property(lambda self: {objective})
    def as_dict(self):
        return {{"a": 1}}
    def pool(self, others):
        return self
    def __str__(self):
        return {text}
class Written(TableMetric):
    def score(self, table, *, ignore, background):
        return {score}
"""


def trunk(**parts) -> str:
    usual = {"x": "x", "module": "Net(in_channels)", "levels": "Levels(kernels=(((3, 3, 3),),))"}
    return TRUNK.format(**usual | parts)


def form(**parts) -> str:
    return FORMAT.format(**{"claims": "True", "attrs": "{}"} | parts)


def score(**parts) -> str:
    return SCORE.format(**{"objective": "1", "text": "'a'", "score": "Own()"} | parts)


MISTAKES = {
    "target: constructor": "class Written(TargetKind):\n    def __init__(self, spec):\n        1 / 0\n"
    f"    {SIMPLE}    {COMPUTE}",
    "target: channels": CHANNEL.replace("return 1\n", "return 1 / 0\n"),
    "target: context": CHANNEL + "    def context(self, voxel_size):\n        return 1 / 0",
    "target: compute": CHANNEL.replace("sample.labels[None] * 0.0", "1 / 0"),
    "target: remarks": CHANNEL + "    def remarks(self, output, voxel_size):\n        1 / 0",
    "target: activation": ACTIVATION.format(call="1 / 0") + CHANNEL + "    activation = Own()",
    "target: faults": "    def faults(self, dims):\n        return 1 / 0\n" + CHANNEL,
    "loss: constructor": LOSS + "        pass\n    def __init__(self, spec):\n        1 / 0",
    "loss: totals": LOSS + "        pass\n    def totals(self, sample):\n        1 / 0",
    "loss: forward": LOSS + "        return 1 / 0",
    "loss: misfit": LOSS + "        pass\n    def misfit(self, target):\n        return 1 / 0",
    "trunk: constructor": trunk() + "    def __init__(self, spec):\n        1 / 0",
    "trunk: levels": trunk(levels="1 / 0"),
    "trunk: module": trunk(module="1 / 0"),
    "trunk: forward": trunk(x="1 / 0"),
    "trunk: forward in a layer": trunk(module="nn.Sequential(Net(in_channels))", x="1 / 0"),
    "augmentation: constructor": RAW
    + "        return raw\n    def __init__(self, spec):\n        1 / 0",
    "augmentation: change": RAW + "        return 1 / 0",
    "augmentation: draw": "class Written(GeometricAugmentation):\n"
    "    def draw(self, rng, *, voxel_size, flat):\n        return 1 / 0",
    "augmentation: node": "class Written(AugmentationKind):\n"
    "    def node(self, *, voxel_size, flat):\n        return 1 / 0",
    "format: claims": form(claims="1 / 0"),
    "format: open": form(attrs="1 / 0"),
    "format: read": form(),
    "metric: score": score(score="1 / 0"),
    "metric: objective": score(objective="1 / 0"),
    "metric: words": score(text="1 / 0"),
    "decoder: constructor": "class Written(BlockDecoder):\n    def __init__(self, spec):\n        1 / 0\n"
    "    def reads(self, settings):\n        pass\n    def segments(self, heads, **options):\n        pass",
    "decoder: segments": "class Written(BlockDecoder):\n    def reads(self, settings):\n"
    "        return ('affs',)\n    def segments(self, heads, **options):\n        1 / 0",
    "scoring: scores": "class Written(EdgeScoring):\n"
    "    def scores(self, affs, neighborhood, fragments, edges, **options):\n        return 1 / 0",
    "scoring: is_mean": "    def to_name(self):\n        return 1 / 0\nclass Written(EdgeScoring):\n"
    "    def scores(self, *arguments, **options):\n        pass",
}
numbers = itertools.count()


class Module:
    """A module of one's own that is on the path, and the kind that it defines."""

    def __init__(self, folder, noun: str, code: str) -> None:
        number = next(numbers)
        self.noun, self.name, self.kind = noun, f"mistaken{number}", f"{noun}{number}"
        self.file = folder / f"{self.name}.py"
        begin = BEGIN.format(n=number, noun=noun, family=noun.title(), module=self.name)
        self.file.write_text(begin + textwrap.indent(code, ""))
        lines = self.file.read_text().splitlines()
        self.line = next((n for n, line in enumerate(lines, 1) if "1 / 0" in line), None)

    def spec(self):
        importlib.import_module(self.name)
        return FAMILIES[self.noun].kinds()[self.kind]()


@pytest.fixture
def written(tmp_path, monkeypatch):
    """A function that writes a module; what it defines is forgotten afterwards, for a format is
    asked about every file."""
    monkeypatch.syspath_prepend(tmp_path)
    modules = []

    def write(noun: str, code: str) -> Module:
        modules.append(Module(tmp_path, noun, code))
        return modules[-1]

    yield write
    for module in modules:
        kinds._registered(FAMILIES[module.noun]).pop(module.kind, None)
        kinds._imported.pop(module.name, None)
        sys.modules.pop(module.name, None)


def variant(**fields) -> spec.Variant:
    head = spec.Head(**{"target": spec.Affinities()} | fields)
    return spec.Variant(stages=(spec.Stage(heads={"affs": head}),))


def trained(folder, module: Module) -> None:
    """What `trainer.py` calls, with the kind in its place."""
    kind, fields, network = module.spec(), {}, {}
    if module.noun in ("target", "loss"):
        fields[module.noun] = kind
    if module.noun == "trunk":
        network = {"network": {"trunk": kind, "predict_shape": None}}
    augment = (kind,) if module.noun == "augmentation" else ()
    config = make_config(folder, variant(**fields), imports=(module.name,), augment=augment)
    train(config.derive(train={"validate_every": 0}, **network), progress=False)


def opened(folder, module: Module) -> None:
    module.spec()
    path = folder / "a.bad"
    path.write_text("")
    open_file(path, "").read((slice(0, 1),) * 3)


def scored(folder, module: Module) -> None:
    table = Contingency(*(np.ones(1, np.uint64),) * 2, np.ones(1, np.int64))
    found = scoring(spec.Evaluate(metric=module.spec()))(table)
    assert isinstance(str(found), str)
    assert found.objective


def segmented(folder, module: Module) -> None:
    affs = np.full((3, 6, 6, 6), 0.9, np.float32)
    affs[:, 3] = 0
    settings = spec.Segment(**{module.noun: module.spec()}, fragments={"min_seed_distance": 2})
    decode(affs, spec.NEAREST, settings)


DOES = {"format": opened, "metric": scored, "decoder": segmented, "scoring": segmented}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_as_that_of_the_kind(tmp_path, written, mistake) -> None:
    module = written(mistake.partition(":")[0], MISTAKES[mistake])
    with pytest.raises(ValueError) as caught:
        DOES.get(module.noun, trained)(tmp_path, module)
    place = re.escape(f"{module.noun} '{module.kind}' ({module.file}, line {module.line})")
    assert re.search(rf"{place}: ZeroDivisionError: division by zero$", str(caught.value)), caught


NOTHING = {
    "target: channels": CHANNEL.replace("return 1\n", "pass\n"),
    "loss: forward": LOSS + "        pass",
    "trunk: module": trunk(module="None"),
    "metric: score": score(score="None"),
}


@pytest.mark.parametrize("mistake", NOTHING)
def test_a_forgotten_return_is_told(tmp_path, written, mistake) -> None:
    noun, method = mistake.split(": ")
    module = written(noun, NOTHING[mistake])
    with pytest.raises(KindError, match=rf"{method} gives nothing; is a `return` missing\?"):
        DOES.get(module.noun, trained)(tmp_path, module)


def test_a_loss_of_many_numbers_is_refused(tmp_path, written) -> None:
    module = written("loss", LOSS + "        return sample.own_values")
    with pytest.raises(ValueError, match=r"of head 'affs' gives a tensor of shape \(1, 3, 14"):
        trained(tmp_path, module)


def test_batch_workers_tell_it_as_well(tmp_path, written, monkeypatch) -> None:
    module = written("augmentation", MISTAKES["augmentation: change"])
    kind = module.spec()
    kinds.import_kinds([module.name])
    config = make_config(tmp_path, variant(), imports=(module.name,), augment=(kind,), workers=1)
    with pytest.raises(ValueError, match=rf"{module.kind}' \(.*line {module.line}\): ZeroDivision"):
        train(config, progress=False)


def test_the_command_says_one_sentence(tmp_path, written, capsys) -> None:
    module = written("target", MISTAKES["target: compute"])
    kind = module.spec()
    config = make_config(tmp_path, variant(target=kind), imports=(module.name,))
    file = tmp_path / "config.json"
    file.write_text(config.model_dump_json())
    with pytest.raises(SystemExit) as end:
        COMMAND.main(["-c", str(file)])
    said = capsys.readouterr().err
    assert end.value.code == 1
    assert "Traceback" not in said
    last = said.strip().splitlines()[-1]
    assert last.startswith(f"error: target '{module.kind}' (")
    assert last.endswith(f"line {module.line}): ZeroDivisionError: division by zero")


def test_kinds_of_this_package_are_what_they_are() -> None:
    assert type(behaviour(spec.Affinities())) is AffinityTarget
    assert type(behaviour(spec.Mse())) is MseLoss


BROKEN = {
    "x = = 1": "SyntaxError: invalid syntax",
    "y = undefined": "NameError: name 'undefined' is not defined",
    "import not_there_at_all": "No module named 'not_there_at_all'",
}


@pytest.mark.parametrize("how", ["imported by the file", "named"])
@pytest.mark.parametrize("line", BROKEN)
def test_a_module_that_cannot_be_imported_says_where(tmp_path, line, how) -> None:
    name = f"broken{next(numbers)}"
    (tmp_path / f"{name}.py").write_text(f"# a module\n{line}\n")
    config = tmp_path / "own_config.py"
    begin = f"import {name}\n" if how != "named" else ""
    config.write_text(
        f"{begin}from config.config import config as usual\n"
        f"config = usual.derive(imports=({name!r},))\n"
    )
    with pytest.raises(cli.ConfigError) as caught:
        cli.load(config)
    said = str(caught.value)
    assert f"{name}.py, line 2" in said
    assert said.endswith(BROKEN[line])


def test_a_module_that_only_imports_names_is_imported(tmp_path) -> None:
    """A format, say, of which the file uses no class."""
    name = f"named{next(numbers)}"
    (tmp_path / f"{name}.py").write_text("made = 1\n")
    config = tmp_path / "own_config.py"
    config.write_text(
        "from config.config import config as usual\n"
        f"config = type(usual)(**{{**dict(usual.__dict__), 'imports': {name!r}}})\n"
    )
    assert cli.load(config).imports == (name,)
    config.write_text(
        "from config.config import config as usual\n"
        "config = type(usual)(**{**dict(usual.__dict__), 'imports': 'no_such_module'})\n"
    )
    with pytest.raises(cli.ConfigError, match="there is no module 'no_such_module'; start in"):
        cli.load(config)
    kinds._imported.pop(name)
