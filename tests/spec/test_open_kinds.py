"""Families of kinds: what may be defined, how a field takes one, and what is refused in words."""

import json
import pickle
import subprocess
import sys
import textwrap
from typing import ClassVar, Literal

import pytest
from pydantic import ValidationError

from lsd import cli
from lsd.spec import Affinities, Bce, Dataset, Head, Kind, Loss, Mse, Simple, Spec, Target
from lsd.spec.kinds import behaviour, import_kinds, imported, outside
from lsd.spec.mistakes import lines


class Fruit(Kind):
    """A family of its own."""

    default: ClassVar[str] = "apple"
    by_name: ClassVar[bool] = True


class Apple(Fruit):
    kind: Literal["apple"] = "apple"
    behaviour: ClassVar[str] = "collections:OrderedDict"


class Pear(Fruit):
    kind: Literal["pear"] = "pear"
    behaviour: ClassVar[str] = "nowhere:Pear"
    size: int = 1


class Basket(Spec):
    fruits: tuple[Fruit, ...] = ()
    best: Fruit = Apple()


def test_a_field_of_a_family_takes_any_kind_and_says_where_one_is_wrong() -> None:
    basket = Basket(
        fruits=({"kind": "pear", "size": 3}, "apple", Pear()), best={"size": 1, "kind": "pear"}
    )
    assert basket.fruits == (Pear(size=3), Apple(), Pear())
    assert (
        basket
        == pickle.loads(pickle.dumps(basket))
        == Basket.model_validate_json(basket.model_dump_json())
    )
    with pytest.raises(ValidationError) as error:
        Basket(fruits=("apple", {"kind": "pear", "size": "big"}), best={"kind": "plum"})
    assert lines(error.value) == [
        "Basket.fruits.1.size: wants a whole number, got 'big'",
        "Basket.best: kind 'plum' is unknown; allowed: apple, pear, and those of modules that "
        "imports= names",
    ]
    with pytest.raises(ValidationError) as error:
        Basket(best={"kind": "appel"})
    assert lines(error.value)[0].endswith("that imports= names; did you mean 'apple'?")


def test_a_kind_without_values_is_written_by_its_name() -> None:
    written = json.loads(Basket(fruits=(Pear(), Pear(size=2))).model_dump_json())
    assert written == {"fruits": ["pear", {"kind": "pear", "size": 2}], "best": "apple"}


def test_kinds_that_are_defined_later_are_taken() -> None:
    with pytest.raises(ValidationError, match="'quince' is unknown"):
        Basket(best={"kind": "quince"})

    class Quince(Fruit):
        kind: Literal["quince"] = "quince"
        behaviour: ClassVar[str] = "collections:OrderedDict"

    assert isinstance(Basket(best={"kind": "quince"}).best, Quince)
    assert isinstance(Basket.model_validate_json('{"best": "quince"}').best, Quince)


def test_a_family_makes_the_kind_that_it_is_told() -> None:
    assert Loss(kind="bce", balance=True) == Bce(balance=True)
    assert Loss() == Mse()
    assert Head(target=Affinities(), loss={"weight": 2}).loss == Mse(weight=2)
    with pytest.raises(ValidationError, match="'hinge' is unknown; allowed: mse, bce"):
        Loss(kind="hinge")


@pytest.mark.parametrize("name", Loss.kinds())
def test_a_loss_by_its_name_is_the_value_with_its_defaults(name) -> None:
    named = Head(target=Affinities(), loss=name)
    value = Head(target=Affinities(), loss=Loss.kinds()[name]())
    assert named == value
    assert type(named.loss) is Loss.kinds()[name]
    assert named.model_dump_json() == value.model_dump_json()
    assert Head.model_validate_json(named.model_dump_json()) == value
    assert Head(target=Affinities(), loss=Mse(balance=True)).derive(loss=name) == value


def test_an_augmentation_by_its_name_alone() -> None:
    assert Dataset(augment="simple") == Dataset(augment=(Simple(),))


def test_what_cannot_work_is_an_error_where_it_is_defined() -> None:
    with pytest.raises(TypeError, match="does not say what it does"):

        class Grape(Fruit):
            kind: Literal["grape"] = "grape"

    with pytest.raises(TypeError, match="has no name"):

        class Melon(Fruit):
            behaviour: ClassVar[str] = "a:b"

    with pytest.raises(TypeError, match="Fig: a kind has one name, and 'fig' is it"):
        # its JSON would name a kind that nobody knows
        class Fig(Fruit):
            kind: Literal["fig", "date"] = "date"
            behaviour: ClassVar[str] = "a:b"

    with pytest.raises(TypeError, match=r"'apple' of Fruit is defined in .* already"):

        class Other(Fruit):
            kind: Literal["apple"] = "apple"
            behaviour: ClassVar[str] = "a:b"


def test_behaviour_is_found_when_it_is_asked_for() -> None:
    with pytest.raises(ValueError, match=r"kind 'pear': nowhere:Pear cannot be imported"):
        behaviour(Pear())


def test_specs_from_outside_are_found_however_deep() -> None:
    assert [spec.kind for spec in outside(Basket(fruits=(Pear(), Apple())))] == [
        "pear",
        "apple",
        "apple",
    ]
    assert not list(outside(Head(target=Affinities())))
    assert Target.kinds()["affinities"] is Affinities


def test_modules_are_imported_when_a_person_names_them_and_refused_in_words(
    tmp_path, monkeypatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "broken_kinds.py").write_text("1 / 0\n")
    (tmp_path / "needs_more.py").write_text("import not_installed_anywhere\n")
    (tmp_path / "wrong_spec.py").write_text("from lsd.spec import Train\nTrain(itertions=3)\n")
    (tmp_path / "fine_kinds.py").write_text("")
    with pytest.raises(
        ValueError, match=r"there is no module .no_such_kinds.; start in the folder"
    ):
        import_kinds(["no_such_kinds"])
    with pytest.raises(ValueError, match=r"'broken_kinds' cannot be imported: .*line 1: ZeroDiv"):
        import_kinds(["broken_kinds"])
    with pytest.raises(ValueError, match=r"needs_more\.py, line 1: .*No module named 'not_"):
        import_kinds(["needs_more"])
    with pytest.raises(
        ValueError, match=r"wrong_spec\.py, line 2: Train: no field 'itertions'; did"
    ) as e:
        import_kinds(["wrong_spec"])
    assert "type=" not in str(e.value)
    import_kinds(["fine_kinds"])
    assert imported()["fine_kinds"] == str(tmp_path)


CONFIG = """
    from lsd.spec import *
    made = Config(
        name="a",
        dataset=Dataset(),
        variant=Variant(stages=Stage(heads={"h": Head(target=%s)})),
        network=Network(trunk=UNet(), train_shape=(196, 196, 196)),
        predict={"volumes": "test"},
        imports=%s,
    )
"""
MODULE = """
    from typing import ClassVar, Literal
    from lsd.spec import Target
    class Distance(Target):
        kind: Literal["distance"] = "distance"
        behaviour: ClassVar[str] = "my_distance:Nothing"
"""


def test_a_config_names_the_modules_of_its_kinds_and_is_data_elsewhere(tmp_path) -> None:
    (tmp_path / "my_distance.py").write_text(textwrap.dedent(MODULE))

    def ran(code: str) -> str:
        command = [sys.executable, "-c", textwrap.dedent(code)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        return done.stdout + done.stderr

    imports = "import my_distance\n"
    said = ran(
        textwrap.dedent(imports + CONFIG.replace("\n    ", "\n") % ("my_distance.Distance()", "()"))
    )
    assert "kind 'distance' is defined in module 'my_distance'; name it" in said
    made = CONFIG.replace("\n    ", "\n") % ("my_distance.Distance()", "'my_distance'")
    text = ran(imports + made + "print(made.model_dump_json())")
    assert json.loads(text)["imports"] == ["my_distance"]
    read = f"from lsd.spec import Config\nConfig.model_validate_json({text!r})"
    said = ran(read)
    assert "module 'my_distance' is not imported; it is code" in said
    assert "target 'distance' is unknown" in said
    read = f"from lsd.spec.kinds import import_kinds\nimport_kinds(['my_distance'])\n{read}"
    assert not ran(read)


def test_a_kind_of_the_file_that_runs_is_to_be_moved(tmp_path) -> None:
    file = tmp_path / "my_config.py"
    made = CONFIG.replace("made", "config") % ("Distance()", "()")
    # no name that another test has
    module = MODULE.replace('"distance"', '"distance_in_a_config"')
    file.write_text(textwrap.dedent(module) + textwrap.dedent(made))
    with pytest.raises(
        ValueError, match=r"'distance_in_a_config' is defined in the file that runs, .* move"
    ):
        cli.load(file)
