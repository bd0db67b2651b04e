"""`python sweep.py`: files with a sweep or with configs, and what changes all of them."""

import subprocess
import sys
from pathlib import Path

import pytest

from lsd.cli.commands import sweep
from lsd.cli.files import load_settings
from lsd.spec.kinds import imported
from lsd.spec.mistakes import ConfigError

ROOT = Path(__file__).parents[2]
EXAMPLE = str(ROOT / "config" / "examples" / "sweep.py")
CONFIGS = [str(ROOT / "config" / "examples" / f"fib25_{name}.py") for name in ("aff", "mtlsd")]


def said(capsys, *words: str, status: int = 0) -> str:
    with pytest.raises(SystemExit) as end:
        sweep.main(words)
    assert end.value.code == status
    return "".join(capsys.readouterr())


def test_runs_are_listed(capsys) -> None:
    listed = said(capsys, "-c", EXAMPLE, "--dry-run").splitlines()
    assert len(listed) == 9
    assert listed[0] == "runs/demo_sweep/aff_seed0: 220 iterations"
    assert listed[-1] == "runs/demo_sweep/mtlsd_10_seed2: 220 iterations"


def test_what_changes_all(capsys) -> None:
    options = ("--seeds", "5", "--minutes", "2.5", "--name", "mine", "--runs", "/elsewhere")
    listed = said(capsys, "-c", EXAMPLE, "--only", "mtlsd_10,aff", *options, "--dry-run")
    assert listed.splitlines() == [
        "/elsewhere/mine/aff_seed5: 2.5 minutes",
        "/elsewhere/mine/mtlsd_10_seed5: 2.5 minutes",
    ]
    listed = said(capsys, "-c", EXAMPLE, "--minutes", "1", "--dry-run")
    assert listed.splitlines()[0] == "runs/demo_sweep/aff_seed0: 1 minute"
    listed = said(capsys, "-c", EXAMPLE, "train.iterations=7", "--seeds", "1", "--dry-run")
    assert listed.count(": 7 iterations") == 3


def test_configs_are_settings(capsys) -> None:
    listed = said(capsys, "-c", CONFIGS[0], "-c", CONFIGS[1], "--seeds", "1", "--dry-run")
    assert [line.partition(":")[0] for line in listed.splitlines()] == [
        "runs/fib25_aff_fib25_mtlsd/fib25_aff_seed1",
        "runs/fib25_aff_fib25_mtlsd/fib25_mtlsd_seed1",
    ]


def test_some_of_the_settings_are_runs_of_the_same_sweep(capsys) -> None:
    both = ("-c", CONFIGS[0], "-c", CONFIGS[1], "--seeds", "1", "--dry-run")
    [line] = said(capsys, *both, "--only", "fib25_mtlsd").splitlines()
    assert line in said(capsys, *both).splitlines()


def test_configs_alone_say_the_folder_of_sweeps(capsys) -> None:
    [line] = said(capsys, "-c", CONFIGS[0], "runs=/elsewhere", "--dry-run").splitlines()
    assert line.startswith("/elsewhere/fib25_aff/fib25_aff_seed0: ")


def test_overrides_are_those_of_each_config() -> None:
    whole, settings = load_settings(EXAMPLE, ["train.batch_size=5", "variant=aff"])
    assert whole is not None
    assert {setting.config.train.batch_size for setting in settings.values()} == {5}
    variants = [setting.config.variant for setting in settings.values()]
    assert variants[1:] == variants[:-1]
    assert whole.settings["aff"].config.train.batch_size == 2


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("-c", EXAMPLE, "--only", "mtlsd_x"), "no setting 'mtlsd_x'; did you mean 'mtlsd_1'?"),
        (("-c", EXAMPLE, "train.itertions=3"), "did you mean 'iterations'?"),
        (("-c", EXAMPLE, "--seeds", "1,1"), "seeds (1, 1) holds one twice"),
        (("-c", EXAMPLE, "--seeds", "one"), "wants numbers"),
        (("-c", EXAMPLE, "--minutes", "0"), "minutes"),
        (("-c", EXAMPLE, "runs=/elsewhere"), "the sweep says runs of each run; give --runs"),
        (("-c", EXAMPLE, "name=mine"), "give --name"),
        (("-c", CONFIGS[0], "name=mine"), "give --name"),
        (("-c", CONFIGS[0], "train.seed=3"), "give --seeds"),
        (("-c", EXAMPLE, "--minutes", "1", "train.iterations=3"), "each run trains some minutes"),
        (("-c", EXAMPLE, "-c", CONFIGS[0]), "a file with a sweep stands alone"),
        (("-c", CONFIGS[0], "-c", CONFIGS[0]), "two configs are called 'fib25_aff'"),
        (("-c", "nowhere.py"), "no config file 'nowhere.py'"),
        ((), "-c"),
    ],
)
def test_refuses(capsys, words, says) -> None:
    assert says in said(capsys, *words, "--dry-run", status=2)


def test_a_file_without_either(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text("x = 3\n")
    with pytest.raises(ConfigError, match="sets neither"):
        load_settings(file)


def test_mistakes_of_a_sweep_are_told_at_once(tmp_path) -> None:
    file = tmp_path / "mine.py"
    file.write_text(
        "from config.config import config\nfrom lsd.spec import Sweep\n"
        "sweep = Sweep(name='a/b', settings={'x': config.derive(train={'itertions': 3})}, seed=4)\n"
    )
    with pytest.raises(ConfigError) as error:
        load_settings(file)
    assert "no field 'itertions'; did you mean 'iterations'?" in str(error.value)
    assert "no field 'seed'; did you mean 'seeds'?" in str(error.value)
    assert "'a/b' has a separator" in str(error.value)


def test_the_module_of_further_numbers_is_found_by_other_processes(tmp_path) -> None:
    (tmp_path / "my_numbers.py").write_text("def mine(config, evaluation):\n    return {}\n")
    file = tmp_path / "mine.py"
    file.write_text(
        "from config.config import config\nfrom lsd.spec import Sweep\n"
        "sweep = Sweep(name='a', settings={'x': config}, further='my_numbers:mine')\n"
    )
    load_settings(file)
    assert imported()["my_numbers"] == str(tmp_path)


@pytest.mark.slow
def test_the_script_is_the_command() -> None:
    done = subprocess.run(
        [sys.executable, "sweep.py", "-c", EXAMPLE, "--dry-run", "--seeds", "3"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.count("seed3: 220 iterations") == 3
