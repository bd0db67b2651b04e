"""A mistake in a kind of one's own ends in a sentence: which kind, the file and line, the error."""

import importlib
import itertools
import re
import sys

import numpy as np
import pytest
from mistaken_kinds import BEGIN, LACKING, LOSS, MISTAKES, NOTHING, OTHER, form
from outside_run import make_config
from pydantic import ValidationError

from lsd import cli, spec
from lsd.arrays.contingency import Contingency
from lsd.cli.commands.train import COMMAND
from lsd.evaluation.metric import scoring
from lsd.losses.mse import MseLoss
from lsd.segmentation.decode import decode
from lsd.spec import kinds
from lsd.spec.blame import KindError
from lsd.spec.kinds import behaviour
from lsd.spec.mistakes import lines
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
numbers = itertools.count()


class Module:
    """A module of one's own that is on the path, and the kind that it defines."""

    def __init__(self, folder, noun: str, code: str) -> None:
        number = next(numbers)
        self.noun, self.name, self.kind = noun, f"mistaken{number}", f"{noun}{number}"
        self.file = folder / f"{self.name}.py"
        begin = BEGIN.format(n=number, noun=noun, family=noun.title(), module=self.name)
        self.file.write_text(begin + code)
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
    error = caught.value
    told = lines(error)[0] if isinstance(error, ValidationError) else str(error)
    place = f"{module.noun} '{module.kind}' ({module.file}, line {module.line})"
    assert told.endswith(f"{place}: ZeroDivisionError: division by zero")


@pytest.mark.parametrize("mistake", NOTHING)
def test_a_forgotten_return_is_told(tmp_path, written, mistake) -> None:
    noun, method = mistake.split(": ")
    module = written(noun, NOTHING[mistake])
    with pytest.raises(KindError, match=rf"{method} gives nothing; is a `return` missing\?"):
        DOES.get(module.noun, trained)(tmp_path, module)


@pytest.mark.parametrize("mistake", OTHER)
def test_what_a_method_gives_is_told_with_its_place(tmp_path, written, mistake) -> None:
    code, says = OTHER[mistake]
    module = written(mistake.partition(":")[0], code)
    with pytest.raises(ValueError) as caught:
        DOES.get(module.noun, trained)(tmp_path, module)
    shape = re.escape(says).replace(r"\{shape\}", r"\d+, \d+, \d+")
    begin = rf"{module.noun} '{module.kind}' \(.*{module.name}\.py, line \d+\)"
    assert re.fullmatch(rf"{begin}(:|,| segments:| )?.*{shape}", str(caught.value))


FIELDS = {
    'kind: Literal["signed"] = "sgned"': (
        "TypeError: Written: kind: Literal[\"signed\"] and its default 'sgned' differ; write the "
        "same name twice"
    ),
    "clip = 50.0": (
        "clip = 50.0 has no type; write one, as in clip: float = 50.0, or clip: ClassVar = 50.0 "
        "where it is no setting"
    ),
    'kind = "signed"': "the field 'kind' has no type; write one, as its base does",
}
WRONG_FIELD = """from typing import ClassVar, Literal
from lsd import spec
class Written(spec.Target):
    {field}
    behaviour: ClassVar[str] = "nowhere:Written"
"""


@pytest.mark.parametrize("field", FIELDS)
def test_a_field_that_is_written_wrongly_is_told_with_its_class(
    tmp_path, monkeypatch, field
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    name = f"wrong_field{next(numbers)}"
    (tmp_path / f"{name}.py").write_text(WRONG_FIELD.format(field=field))
    with pytest.raises(ValueError) as caught:
        kinds.import_kinds([name])
    assert str(caught.value).endswith(f"{name}.py, line 3: {FIELDS[field]}")


@pytest.mark.parametrize("noun", LACKING)
def test_a_method_that_is_not_there_is_told(written, noun) -> None:
    method, code = LACKING[noun]
    module = written(noun, code)
    says = rf"'{module.kind}' \(.*{module.name}\.py, line \d+\): Written lacks {method}; give it"
    with pytest.raises(KindError, match=says):
        behaviour(module.spec())


def test_a_format_without_words_for_its_files_is_told(tmp_path, written) -> None:
    code = form().replace('reads, is_single = "bad file", True', "is_single = True")
    with pytest.raises(ValueError, match=r"does not say what its files are called: give .* reads"):
        opened(tmp_path, written("format", code))


def test_a_loss_of_many_numbers_is_refused(tmp_path, written) -> None:
    module = written("loss", LOSS + "        return sample.own_values")
    with pytest.raises(ValueError, match=r"of head 'affs' gives a tensor of shape \(1, 3, 10"):
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


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("cannot allocate memory")])
def test_a_machine_without_memory_is_no_mistake_of_a_kind(written, error) -> None:
    code = MISTAKES["trunk: module"].replace("1 / 0", "fail()")
    module = written("trunk", code + "def fail():\n    raise error\n")
    trunk = behaviour(module.spec())
    sys.modules[module.name].error = error
    with pytest.raises(type(error)) as caught:
        trunk.module(1)
    assert caught.value is error
