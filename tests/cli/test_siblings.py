"""What a config file imports from its own folder; what is left behind when it has run: nothing."""

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from lsd import cli
from lsd.cli.files import load_settings

ROOT = Path(__file__).parents[2]
MINE = "from config.config import config as base\nconfig = base.derive(name={name!r})\n"


def write(folder, **files: str):
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / f"{name}.py").write_text(textwrap.dedent(text))
    return folder


@pytest.fixture(autouse=True)
def untouched():
    """Neither the path nor the modules that others imported differ after a test."""
    path, finders, modules = list(sys.path), list(sys.meta_path), dict(sys.modules)
    yield
    assert sys.path == path
    assert sys.meta_path == finders
    assert {name: sys.modules.get(name) for name in modules} == modules
    assert not {"mine", "other", "demo"} & sys.modules.keys() - modules.keys()


def test_a_module_beside_a_config(tmp_path) -> None:
    write(tmp_path, mine=MINE.format(name="beside"), my="from mine import config")
    assert cli.load(tmp_path / "my.py").name == "beside"


def test_from_another_folder_by_a_script(tmp_path) -> None:
    """By a relative path, with workers that start after it."""
    write(tmp_path / "configs", mine=MINE.format(name="beside"), my="from mine import config")
    (tmp_path / "here").mkdir()
    script = write(
        tmp_path / "scripts",
        show="""
        import sys
        from lsd import cli
        from lsd.batches.workers import BatchWorkers
        before = list(sys.path)
        def show(config):
            import pickle
            assert sys.path == before and "mine" not in sys.modules
            with BatchWorkers(pickle.dumps, 3, count=1) as made: pass
            print(pickle.loads(pickle.dumps(config)).name)
        cli.main(show, "")
        """,
    )
    command = [sys.executable, script / "show.py", "-c", "../configs/my.py", "train.seed=3"]
    done = subprocess.run(
        command,
        cwd=tmp_path / "here",
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
    )
    assert (done.returncode, done.stdout) == (0, "beside\n"), done.stderr


def test_two_folders_have_modules_of_one_name(tmp_path, monkeypatch) -> None:
    """The nearest counts, also before one that is loaded, which stays as it is."""
    for name in ("a", "b", "c"):
        write(tmp_path / name, mine=MINE.format(name=name), my="from mine import config")
    assert [cli.load(tmp_path / name / "my.py").name for name in ("a", "b", "a")] == ["a", "b", "a"]
    monkeypatch.syspath_prepend(tmp_path / "c")
    import mine

    assert [cli.load(tmp_path / name / "my.py").name for name in ("a", "b", "c")] == ["a", "b", "c"]
    assert sys.modules["mine"] is mine
    assert mine.config.name == "c"
    del sys.modules["mine"]


def test_the_package_config_is_not_hidden(tmp_path) -> None:
    """Neither by the config itself nor by one of that name beside it; nor is the standard library,
    or lsd."""
    write(
        tmp_path,
        config=MINE.format(name="own"),
        my=MINE.format(name="my"),
        random="1 / 0",
        lsd="1 / 0",
    )
    for name in ("own", "my"):
        (tmp_path / "config.py").write_text(MINE.format(name=name) + "import random, lsd.spec\n")
        assert cli.load(tmp_path / "config.py").name == name
    assert cli.load(tmp_path / "my.py").name == "my"


def test_a_config_inside_a_package(tmp_path) -> None:
    """Its neighbours are found by the name of the package, and as neighbours; ours of the same name
    comes back after it."""
    import config.datasets

    ours = config.datasets
    package = write(
        tmp_path / "config", __init__="", datasets="NAME = 'theirs'", mine="NAME = 'mine'"
    )
    write(
        package,
        my="""
        from config.datasets import NAME
        from mine import NAME as MINE
        from lsd.spec import Affinities, Config, Dataset, Head, Network, Stage, UNet, Variant
        variant = Variant(stages=Stage(heads={"affs": Head(target=Affinities())}))
        network = Network(trunk=UNet(), train_shape=(196, 196, 196))
        config = Config(
            name=f"{NAME} {MINE}", dataset=Dataset(), variant=variant, network=network,
            predict={"volumes": "test"},
        )
        """,
    )
    assert cli.load(package / "my.py").name == "theirs mine"
    import config.datasets

    assert config.datasets is ours


def test_each_example_is_found_from_anywhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    for path in (ROOT / "config" / "examples").glob("[a-z]*.py"):
        sweep, settings = load_settings(path, [])
        assert [*settings] == [path.stem] if sweep is None else len(settings) > 1


WRONG = "from lsd.spec import Train\nTRAIN = Train(itertions=5)\n"
RIGHT = "from lsd.spec import Train\nTRAIN = Train(iterations=5)\n"
USES = (
    "from config.config import config as base\nfrom {module} import TRAIN\nconfig = "
    "base.derive(train=TRAIN)\n"
)


@pytest.mark.parametrize("uses", [True, False])
@pytest.mark.parametrize("on_path", [True, False])
def test_a_wrong_module_is_refused_each_time(tmp_path, monkeypatch, uses, on_path) -> None:
    """Whether what is wrong is used or not, and wherever the module lies; and taken once it was
    mended."""
    folder = tmp_path / "library" if on_path else tmp_path
    write(folder, other=WRONG)
    text = USES.format(module="other")
    write(tmp_path, my=text if uses else text.replace("train=TRAIN", ""))
    if on_path:
        monkeypatch.syspath_prepend(folder)
    said = []
    for _ in range(3):
        with pytest.raises(cli.ConfigError, match="did you mean 'iterations'") as error:
            cli.load(tmp_path / "my.py")
        said.append(str(error.value))
    assert len(set(said)) == 1
    assert len(said[0].splitlines()) == 1
    # another length, so that Python does not take the compiled file of the same second
    (folder / "other.py").write_text(RIGHT + "# mended\n")
    assert cli.load(tmp_path / "my.py").name == "synthetic_mtlsd"
    sys.modules.pop("other", None)


def test_a_module_that_fails_after_a_mistake_is_forgotten_too(tmp_path) -> None:
    write(tmp_path, other=WRONG + "TRAIN.nothing\n", my=USES.format(module="other"))
    for _ in range(2):
        with pytest.raises(cli.ConfigError, match="did you mean 'iterations'"):
            cli.load(tmp_path / "my.py")
