"""`make setup`: which interpreter is taken, what is refused before anything is made, and what is
made anew.

Interpreters are stand-ins that say a version, make a folder for an environment, and note what pip
was asked for.
"""

import importlib
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
STAND_IN = """#!/bin/sh
case "$1 $2" in
    "-c import sys"*) echo "{version} {path}" ;;
    "-c import ensurepip"*) exit {venv} ;;
    "-m venv") mkdir -p "$3/bin" && cp "$0" "$3/bin/python" && touch "$3/pyvenv.cfg" ;;
    "-m pip") shift 5; echo "$@" >>"$ASKED"; case " $* " in *" $FAILING "*) exit 1 ;; esac ;;
    *) echo "unexpected: $*" >&2; exit 2 ;;
esac
"""
MAKE = shutil.which("make") or ""
pytestmark = pytest.mark.skipif(not MAKE, reason="needs make")


class Checkout:
    """A copy of what `make setup` reads, with a path that holds the interpreters of `versions`
    only."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.path, self.asked = folder / "a checkout", folder / "bin", folder / "asked"
        (self.folder / ".ci").mkdir(parents=True)
        for name in ("Makefile", "setup.py", "constraints.txt", ".ci/environment.sh"):
            shutil.copy2(ROOT / name, self.folder / name)
        self.path.mkdir()
        files = ("rm", "cp", "mkdir", "touch")
        for tool in ("sh", "dirname", "cat", "find", "head", "ls", "uname", *files):
            (self.path / tool).symlink_to(shutil.which(tool) or "")

    def interpreter(self, name: str, version: str, *, venv: bool = True) -> Path:
        path = self.path / name
        path.write_text(STAND_IN.format(version=version, path=path, venv=int(not venv)))
        path.chmod(0o755)
        return path

    def system(self, says: str) -> None:
        (self.path / "uname").unlink()
        (self.path / "uname").write_text(f'#!/bin/sh\ncase "$1" in {says} esac\n')
        (self.path / "uname").chmod(0o755)

    def setup(self, *named: str, failing: str = "nothing") -> subprocess.CompletedProcess[str]:
        self.asked.write_text("")
        return subprocess.run(
            [MAKE, "-s", "setup", *named],
            cwd=self.folder,
            env={"PATH": str(self.path), "ASKED": str(self.asked), "FAILING": failing},
            capture_output=True,
            text=True,
            check=False,
        )

    def made(self) -> set[str]:
        """Everything in the checkout but what it began with."""
        return {path.name for path in self.folder.iterdir()} - {
            "Makefile",
            "setup.py",
            "constraints.txt",
            ".ci",
        }

    def version(self, venv: str = ".venv") -> str:
        """Of the interpreter of an environment."""
        said = subprocess.run(
            [self.folder / venv / "bin" / "python", "-c", "import sys"],
            capture_output=True,
            text=True,
            check=True,
        )
        return said.stdout.split()[0]


@pytest.fixture
def checkout(tmp_path) -> Checkout:
    return Checkout(tmp_path)


def succeeds(done: subprocess.CompletedProcess[str]) -> None:
    assert done.returncode == 0, done.stderr


def refused(checkout: Checkout, *named: str, says: str) -> None:
    """In one sentence that names what is allowed, before anything is made or asked for."""
    before = checkout.made()
    done = checkout.setup(*named)
    assert done.returncode != 0
    first, *others = done.stderr.splitlines()
    assert re.search(says, first), first
    assert all(line.startswith("make: ***") for line in others)
    assert "3.11 3.12 3.13" in first
    assert "make setup PYTHON=" in first
    assert checkout.made() == before
    assert checkout.asked.read_text() == ""


def test_what_is_installed_is_said_before_minutes_of_silence(checkout) -> None:
    checkout.interpreter("python3.11", "3.11")
    assert "setup: installs torch==2.13.0" in checkout.setup().stdout
    assert checkout.setup().stdout == ""


@pytest.mark.parametrize("version", ["2.7", "3.1", "3.9", "3.10", "3.14", "13.11", "4.0", ""])
def test_an_interpreter_of_another_version_is_refused(checkout, version) -> None:
    path = checkout.interpreter("python", version)
    refused(
        checkout, f"PYTHON={path}", says=rf"PYTHON={path} is Python {version or 'of no version'};"
    )


def test_an_interpreter_that_is_not_there_or_does_not_run_is_refused(checkout) -> None:
    refused(checkout, "PYTHON=python3.12", says="PYTHON=python3.12 cannot be run .*not found")
    shim = checkout.path / "python3.12"
    shim.write_text("#!/bin/sh\necho 'pyenv: python3.12: command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    refused(
        checkout,
        "PYTHON=python3.12",
        says=r"cannot be run \(pyenv: python3.12: command not found\)",
    )
    refused(checkout, says="found no Python of 3.11 3.12 3.13; install one")


def test_an_interpreter_that_cannot_make_environments_is_refused(checkout) -> None:
    checkout.interpreter("python3.12", "3.12", venv=False)
    refused_for = checkout.setup()
    assert "lacks venv or ensurepip; install python3.12-venv" in refused_for.stderr
    assert checkout.made() == set()


@pytest.mark.parametrize(
    ("there", "taken"),
    [
        ({"python3.11": "3.11", "python3.12": "3.12"}, "3.11"),
        ({"python3.12": "3.12", "python3.13": "3.13"}, "3.12"),
        ({"python3.13": "3.13", "python3": "3.10"}, "3.13"),
        ({"python3": "3.12"}, "3.12"),
        ({"python3": "3.10", "python": "3.13"}, "3.13"),
    ],
)
def test_unnamed_the_first_that_is_allowed_is_found(checkout, there, taken) -> None:
    for name, version in there.items():
        checkout.interpreter(name, version)
    succeeds(checkout.setup())
    assert checkout.version() == taken


def test_what_is_there_is_left_alone_until_what_it_is_made_from_changes(checkout) -> None:
    checkout.interpreter("python3.11", "3.11")
    checkout.interpreter("python3.13", "3.13")
    succeeds(checkout.setup("PYTHON=python3.13"))
    assert "-c constraints.txt -e .[test]" in checkout.asked.read_text()
    # unnamed: that of the environment, not the first that is found
    for named in ((), ("PYTHON=python3.13",)):
        succeeds(checkout.setup(*named))
        assert checkout.asked.read_text() == ""
        assert checkout.version() == "3.13"
    done = (checkout.folder / ".venv" / ".done").stat().st_mtime
    os.utime(checkout.folder / "constraints.txt", (done + 10, done + 10))
    (checkout.folder / ".venv" / "kept").touch()
    succeeds(checkout.setup())
    assert "-c constraints.txt" in checkout.asked.read_text()
    assert (checkout.folder / ".venv" / "kept").exists()


def test_of_checkouts_that_share_an_environment_the_one_at_work_is_imported(
    checkout, tmp_path
) -> None:
    """And that of a checkout that was moved."""
    checkout.interpreter("python3.11", "3.11")
    common = f"VENV={tmp_path / 'common'}"
    succeeds(checkout.setup(common))
    checkout.folder = checkout.folder.rename(tmp_path / "elsewhere")
    for installs in (True, False):
        succeeds(checkout.setup(common))
        assert ("-e" in checkout.asked.read_text()) == installs


def test_an_environment_of_another_interpreter_is_made_anew(checkout) -> None:
    for version in ("3.11", "3.12"):
        checkout.interpreter(f"python{version}", version)
    succeeds(checkout.setup())
    (checkout.folder / ".venv" / "stale").touch()
    done = checkout.setup("PYTHON=python3.12")
    succeeds(done)
    assert done.stderr == "setup: .venv is made anew with Python 3.12: it is of Python 3.11\n"
    assert checkout.version() == "3.12"
    assert not (checkout.folder / ".venv" / "stale").exists()


def test_a_refused_interpreter_leaves_the_environment_that_is_there(checkout) -> None:
    checkout.interpreter("python3.11", "3.11")
    succeeds(checkout.setup())
    checkout.interpreter("python3.10", "3.10")
    refused(checkout, "PYTHON=python3.10", says="is Python 3.10")
    assert checkout.version() == "3.11"
    assert (checkout.folder / ".venv" / ".done").exists()


def without_done(venv: Path) -> None:
    (venv / ".done").unlink()


def without_interpreter(venv: Path) -> None:
    (venv / "bin" / "python").unlink()


def empty(venv: Path) -> None:
    shutil.rmtree(venv)
    venv.mkdir()


def one_that_does_not_run(venv: Path) -> None:
    (venv / "bin" / "python").write_text("#!/nowhere\n")


@pytest.mark.parametrize(
    "harm",
    [without_done, without_interpreter, empty, one_that_does_not_run],
    ids=lambda harm: harm.__name__,
)
@pytest.mark.parametrize("venv", [".venv", "other place"])
def test_a_half_made_environment_is_made_anew(checkout, harm, venv) -> None:
    checkout.interpreter("python3.12", "3.12")
    succeeds(checkout.setup(f"VENV={venv}"))
    harm(checkout.folder / venv)
    (checkout.folder / "kept").touch()
    succeeds(checkout.setup(f"VENV={venv}"))
    assert checkout.version(venv) == "3.12"
    assert "-c constraints.txt" in checkout.asked.read_text()
    assert checkout.made() == {venv, "kept"}


def test_an_installation_that_fails_is_begun_afresh(checkout) -> None:
    checkout.interpreter("python3.12", "3.12")
    assert checkout.setup(failing="constraints.txt").returncode != 0
    assert not (checkout.folder / ".venv" / ".done").exists()
    succeeds(checkout.setup())
    assert "torch" in checkout.asked.read_text()


def test_a_folder_that_is_no_environment_of_ours_is_never_removed(checkout) -> None:
    checkout.interpreter("python3.12", "3.12")
    mine = checkout.folder / "mine"
    (mine / "bin").mkdir(parents=True)
    (mine / "pyvenv.cfg").touch()
    (mine / "thesis").write_text("years")
    done = checkout.setup("VENV=mine")
    assert done.returncode != 0
    assert (
        "VENV=mine is there and was not made by this; delete it, or name another folder"
        in done.stderr
    )
    assert (mine / "thesis").read_text() == "years"
    assert checkout.asked.read_text() == ""


@pytest.mark.parametrize(
    ("system", "torch"),
    [
        ("-s) echo Linux;; -m) echo x86_64;;", "torch==2.13.0+cpu"),
        ("-s) echo Linux;; -m) echo aarch64;;", "torch==2.13.0+cpu"),
        ("-s) echo Darwin;; -m) echo arm64;;", "torch==2.13.0"),
    ],
)
def test_the_build_of_torch_is_the_one_for_processors(checkout, system, torch) -> None:
    checkout.interpreter("python3.12", "3.12")
    checkout.system(system)
    succeeds(checkout.setup())
    first, *_ = checkout.asked.read_text().splitlines()
    assert first == torch


def test_macos_on_intel_needs_a_build_of_ones_own(checkout) -> None:
    checkout.interpreter("python3.12", "3.12")
    checkout.system("-s) echo Darwin;; -m) echo x86_64;;")
    done = checkout.setup()
    assert done.returncode != 0
    assert "no longer built for macOS on Intel; name a build of your own" in done.stderr
    assert checkout.made() == set()
    succeeds(checkout.setup("TORCH=torch.whl"))


def test_another_build_of_torch_is_noticed_and_remembered(checkout) -> None:
    checkout.interpreter("python3.12", "3.12")
    checkout.system("-s) echo Linux;; -m) echo x86_64;;")
    succeeds(checkout.setup())
    done = checkout.setup("TORCH=torch==2.13.0")
    assert "it has torch==2.13.0+cpu, and torch==2.13.0 is asked for" in done.stderr
    assert checkout.asked.read_text().splitlines()[0] == "torch==2.13.0"
    # not named again: what is there goes on
    (checkout.folder / ".venv" / "kept").touch()
    succeeds(checkout.setup())
    assert (checkout.folder / ".venv" / "kept").exists()


def test_the_index_of_builds_is_asked_when_the_registry_has_none_and_what_fails_is_said(
    checkout,
) -> None:
    checkout.interpreter("python3.12", "3.12")
    checkout.system("-s) echo Linux;; -m) echo x86_64;;")
    done = checkout.setup("TORCH_INDEX=file:///builds", failing="torch==2.13.0+cpu")
    assert done.returncode != 0
    assert checkout.asked.read_text().splitlines() == [
        "torch==2.13.0+cpu",
        "torch==2.13.0+cpu --extra-index-url file:///builds",
    ]
    assert (
        "for Python 3.12 cannot be had from the registry or file:///builds; name another build"
        in done.stderr
    )


def test_all_that_name_versions_name_the_same() -> None:
    allowed = re.search(
        r'^ALLOWED="(.+)"$', (ROOT / ".ci" / "environment.sh").read_text(), re.MULTILINE
    )[1].split()
    low, high = re.search(
        r'python_requires=">=3\.(\d+),<3\.(\d+)"', (ROOT / "setup.py").read_text()
    ).groups()
    assert allowed == [f"3.{minor}" for minor in range(int(low), int(high))]
    pins = dict(
        re.findall(r"^(torch)==(.+)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    )
    assert set(
        re.findall(r"torch==([\d.]+\d)", (ROOT / ".ci" / "environment.sh").read_text())
    ) == set(pins.values())
    config = (ROOT / "pyproject.toml").read_text()
    assert f'target-version = "py{allowed[0].replace(".", "")}"' in config
    assert f'python_version = "{allowed[0]}"' in config


def test_the_program_that_is_installed_is_there() -> None:
    module, name = re.search(
        r'"console_scripts": \["lsd=([\w.]+):(\w+)"\]', (ROOT / "setup.py").read_text()
    ).groups()
    assert callable(getattr(importlib.import_module(module), name))
