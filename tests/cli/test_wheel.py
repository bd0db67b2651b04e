"""What is installed works without a checkout: a wheel, a folder that `lsd new` writes, and the
whole chain in it."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SMALL = (
    "train.iterations=2", "train.validate_every=0", "train.precision=fp32", "train.threads=1",
    "train.workers=1", "train.batch_size=1", "train.snapshot_every=0",
    "network.trunk={'kind': 'residual', 'widths': (4, 8), 'factors': ((2, 2, 2),), "
    "'context': (4, 4, 4)}",
    "network.train_shape=(16, 16, 16)", "predict.precision=fp32", "predict.threads=1",
    "dataset.train.0.synthetic.shape=(24, 40, 40)",
    "dataset.validate.0.synthetic.shape=(24, 32, 32)",
    "dataset.test.0.synthetic.shape=(24, 32, 32)", "name=small",
)  # fmt: skip


@pytest.fixture(scope="module")
def target(tmp_path_factory) -> Path:
    """A folder that the wheel is installed into."""
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    # as it is committed or yet to be, without what was built before
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard",
         "lsd", "config", "setup.py", "pyproject.toml", "README.md", "LICENSE", "MANIFEST.in"],
        cwd=ROOT, capture_output=True, check=True, text=True,
    ).stdout  # fmt: skip
    for name in filter(None, listed.split("\0")):
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    offline = ["--no-deps", "--no-index"]
    build = ["wheel", *offline, "--no-build-isolation", "-w", str(folder), str(source)]
    run([*pip, *build], folder, folder)
    [wheel] = folder.glob("*.whl")
    run([*pip, "install", *offline, "--target", str(folder / "site"), str(wheel)], folder, folder)
    take_compiled(folder / "site")
    return folder / "site"


def take_compiled(site: Path) -> None:
    """Kernels that numba compiled in the checkout need not be compiled again: its cache goes by the
    time of a source, and by what it holds."""
    for index in (ROOT / "lsd").rglob("__pycache__/*.nbi"):
        source = index.parents[1] / (index.name.partition(".")[0] + ".py")
        installed = site / source.relative_to(ROOT)
        if not installed.is_file():  # of a source that was there before
            continue
        assert installed.read_bytes() == source.read_bytes()
        time = source.stat().st_mtime_ns
        os.utime(installed, ns=(time, time))
        caches = installed.parent / "__pycache__"
        for path in (index, *index.parent.glob(f"{index.stem}.*.nbc")):
            shutil.copy(path, caches / path.name)


def run(command: list[str], path: Path, cwd: Path, *, status: int = 0) -> str:
    environment = {**os.environ, "PYTHONPATH": str(path), "OMP_NUM_THREADS": "1"}
    environment.pop("LSD_DATA", None)
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == status, done.stderr
    return done.stdout + done.stderr


@pytest.mark.slow
def test_the_whole_chain(target, tmp_path) -> None:
    program = [sys.executable, "-m", "lsd"]
    where = run([sys.executable, "-c", "import lsd; print(lsd.__file__)"], target, tmp_path)
    assert where.strip() == str(target / "lsd" / "__init__.py")
    assert "lsd train" in run([*program, "new", "mine"], target, tmp_path)
    mine = tmp_path / "mine"
    files = {path.relative_to(mine) for path in mine.rglob("*.py")}
    config = {path.relative_to(ROOT) for path in (ROOT / "config").rglob("*.py")}
    assert files == config
    assert all((mine / path).read_bytes() == (ROOT / path).read_bytes() for path in files)
    again = run([*program, "new", "mine"], target, tmp_path, status=1)
    assert "error: mine is not empty; name a new folder, or an empty one" in again
    for command in ("train", "predict", "segment", "evaluate"):
        planned = run([*program, command, "--dry-run", *SMALL], target, mine)
        assert "nothing was changed" in planned
        said = run([*program, command, *SMALL], target, mine)
    assert "VOI sum" in said
    assert (mine / "runs" / "small" / "evaluation_sweep.png").exists()
    assert "100%" in run([*program, "blocks", "status", "runs/small"], target, mine)
    # that of the console script
    assert "usage: lsd" in run([str(target / "bin" / "lsd"), "--help"], target, mine)
    checkpoint = "predict.checkpoint=runs/small/main/checkpoints/best.pt"
    words = [*program, "predict", *SMALL, "name=other", "--workers", "2", checkpoint]
    shared = run(words, target, mine)
    assert "2 workers" in shared


@pytest.mark.slow
def test_each_example_is_read(target, tmp_path) -> None:
    run([sys.executable, "-m", "lsd", "new", "mine"], target, tmp_path)
    for path in sorted((tmp_path / "mine" / "config" / "examples").glob("[a-z]*.py")):
        if path.stem == "sweep":
            command = [sys.executable, "-m", "lsd", "sweep", "-c", str(path), "--dry-run"]
            assert "demo_sweep/mtlsd_10_seed2: " in run(command, target, tmp_path)
            continue
        command = [sys.executable, "-m", "lsd", "train", "-c", str(path), "--print-config"]
        assert f'"name": "{path.stem}"' in run(command, target, tmp_path)
