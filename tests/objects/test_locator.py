"""A run whose network sees a coarser scale locates what another outlines: one command from raw to
instances."""

import shutil

import numpy as np
import pytest
from seeded_run import OFFSET, SIZE, balls, is_renaming, make_run, read, save, table_of

from lsd.cli.commands.objects import COMMAND
from lsd.objects.locator import located_by
from lsd.objects.seeded import segment_at_seeds
from lsd.objects.tables import read_located
from lsd.spec import paths

SHAPE, COUNT = (40, 46, 36), 8
LABELS = balls(SHAPE, count=COUNT, radius=6)
COARSE = {"path": "em.zarr", "raw": "raw", "scale": (2, 2, 2), "name": "other"}


@pytest.fixture
def config(tmp_path):
    """Of the run that outlines; its table has one object alone, and is not read."""
    config = make_run(tmp_path, LABELS, table_of(LABELS).chosen([0]))
    coarse = config.derive(name="coarse", dataset={"test": ()}, predict={"volumes": ("train",)})
    save(coarse)
    record(coarse.derive(dataset={"train": (COARSE,)}, locate={"threshold": 0.5}))
    seeds = {"located": None, "locator": str(paths.run_folder(coarse))}
    return config.derive(seeds=seeds)


def record(coarse):
    paths.config_file(coarse).write_text(coarse.model_dump_json())


def test_the_run_that_locates_is_asked_first(config, tmp_path, capsys, caplog) -> None:
    file = tmp_path / "fine.json"
    file.write_text(config.model_dump_json())
    for words in (["--dry-run"], [], ["--dry-run"]):
        with pytest.raises(SystemExit) as end:
            COMMAND.main(["-c", str(file), *words])
        assert end.value.code == 0
    assert is_renaming(read(paths.objects(config, "em")), LABELS)
    table = read_located(tmp_path / "runs" / "coarse" / "located" / "em.csv")
    assert len(table) == COUNT
    said = capsys.readouterr().out
    assert "run 'coarse' locates" in said
    assert f"em: {COUNT} points in" in said
    assert "to the run that locates" not in caplog.text


@pytest.mark.parametrize("locator", ["coarse", "gone"])
def test_tables_that_are_named_take_the_place_of_the_run(config, tmp_path, capsys, locator) -> None:
    """The run is not asked, nor need it be there."""
    run = str(tmp_path / "runs" / locator)
    named = config.derive(seeds={"located": str(tmp_path / "{volume}.csv"), "locator": run})
    before = sorted((tmp_path / "runs" / "coarse").rglob("*"))
    file = tmp_path / "fine.json"
    file.write_text(named.model_dump_json())
    for words in (["--dry-run"], []):
        with pytest.raises(SystemExit) as end:
            COMMAND.main(["-c", str(file), *words])
        assert end.value.code == 0
    said = capsys.readouterr().out
    assert "locates" not in said
    assert "em: 1 point in" in said
    # that of the table: of the run there would be all
    own = read_located(tmp_path / "em.csv")
    place = tuple((own.point[0] // SIZE).astype(int) - OFFSET)
    assert np.array_equal(read(paths.objects(named, "em")) > 0, LABELS[place] == LABELS)
    assert sorted((tmp_path / "runs" / "coarse").rglob("*")) == before


def test_a_table_that_is_named_and_not_there_is_not_located(config) -> None:
    named = config.derive(seeds={"located": "no/{volume}.csv"})
    assert located_by(named) == []
    words = r"no table .*'em' at no/em.csv; make it with .*, or say seeds.located=none"
    with pytest.raises(ValueError, match=words):
        segment_at_seeds(named)


def test_a_block_does_not_take_the_place_of_the_whole(config, tmp_path) -> None:
    [whole] = located_by(config)
    text = whole.read_text()
    [checkpoint] = paths.checkpoints(config, "main").glob("*.pt")
    predict = {"region": "12:44, 0:36, 10:38", "checkpoint": str(checkpoint)}
    block = config.derive(name="block", predict=predict)
    [path] = located_by(block)
    assert path == tmp_path / "runs" / "block" / "locator" / "located" / "em.csv"
    table = read_located(path)
    assert len(table)
    assert (table.begin >= np.array((12, 0, 10)) * SIZE).all()
    assert (table.end <= np.array((44, 36, 38)) * SIZE).all()
    assert whole.read_text() == text
    # of the whole nothing is to be done again
    changed = [file.stat().st_mtime_ns for file in (tmp_path / "runs" / "coarse").rglob("*.done")]
    located_by(config)
    again = [file.stat().st_mtime_ns for file in (tmp_path / "runs" / "coarse").rglob("*.done")]
    assert changed
    assert sorted(again) == sorted(changed)
    [objects] = segment_at_seeds(block)
    inside = LABELS[2:34, 3:39, 5:33]
    found = read(objects)
    assert found.shape == inside.shape
    assert (inside[found > 0] > 0).all()
    assert len(np.unique(found)) > 1


def test_other_data_of_the_same_name_is_told(config, tmp_path, caplog) -> None:
    shutil.copytree(tmp_path / "em.zarr", tmp_path / "copied.zarr")
    coarse = config.derive(name="coarse", locate={"threshold": 0.5}, seeds={"locator": None})
    record(coarse.derive(dataset={"test": (COARSE | {"path": "copied.zarr", "name": "em"},)}))
    [path] = located_by(config)
    assert len(read_located(path)) == COUNT
    assert "volume 'em' is " in caplog.text
    assert "copied.zarr to the run that locates" in caplog.text


def test_volumes_that_the_run_that_locates_found_by_wildcards_are_known(config) -> None:
    coarse = config.derive(name="coarse", locate={"threshold": 0.5}, seeds={"locator": None})
    found = COARSE | {"path": "e*.zarr", "name": None}
    record(coarse.derive(dataset={"test": (found,)}, predict={"volumes": ("test",)}))
    here = config.derive(dataset={"test": (found | {"scale": None},)})
    [path] = located_by(here)
    assert path.name == "em_test.csv"
    assert len(read_located(path)) == COUNT
