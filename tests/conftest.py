"""File systems that are small, or read only, for the time of a test; and what tests take (see
`tiers`)."""

import signal
import subprocess

import pytest
from tiers import pytest_itemcollected, pytest_runtest_call, pytest_terminal_summary

from lsd.spec import kinds

__all__ = ["pytest_itemcollected", "pytest_runtest_call", "pytest_terminal_summary"]


def pytest_configure() -> None:
    """A shell that starts `make test &` has Ctrl-C ignored by it and by all that it starts; the
    tests press it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def modules_of_others(request):
    """Modules of kinds that other test files import are no part of a test that names none."""
    before = kinds._imported
    # not by monkeypatch, which would then be undone after the fixtures of a test, and not before
    kinds._imported = before if request.path.name.startswith("test_outside") else {}
    yield
    kinds._imported = before


@pytest.fixture
def mount():
    """A function that mounts something on a folder, until the test ends; where it may not, the test
    is skipped."""
    mounted = []

    def mount(folder, *arguments: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        done = subprocess.run(
            ["mount", *arguments, str(folder)], capture_output=True, text=True, check=False
        )
        if done.returncode:
            pytest.skip(f"needs to mount a file system: {done.stderr.strip()}")
        mounted.append(folder)

    yield mount
    for folder in dict.fromkeys(reversed(mounted)):
        subprocess.run(["umount", "--lazy", str(folder)], check=False)


@pytest.fixture
def small_disk(mount):
    """A function that makes a folder a file system of so many bytes, and, called again, gives it
    more."""

    def small_disk(folder, size: int) -> None:
        again = (
            ("-o", f"remount,size={size}")
            if folder.is_mount()
            else ("-t", "tmpfs", "-o", f"size={size}", "none")
        )
        mount(folder, *again)

    return small_disk


@pytest.fixture
def read_only(mount):
    """A function that makes a folder, with what it holds, read only."""

    def read_only(folder) -> None:
        mount(folder, "--bind", str(folder))
        mount(folder, "-o", "remount,bind,ro")

    return read_only
