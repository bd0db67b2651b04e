"""Files that hold a table of located objects: CSV, which everything opens, and Parquet, by pyarrow.

A row is an object, a column a number of it, its unit in its name:

    id z_nm y_nm x_nm begin_z_nm begin_y_nm begin_x_nm end_z_nm end_y_nm end_x_nm voxels volume_um3
    confidence

Other columns are passed over.  Of planes, those of z are missing, and the volume is an area_um2.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lsd.objects.located import Located
from lsd.spec.plurals import some
from lsd.system.atomic import replacing

Columns = Mapping[str, NDArray[Any]]
_WHOLE = ("id", "voxels")
_SHOWN = 20


def write_located(located: Located, path: str | Path) -> None:
    """Writes a table, by the ending of its name as CSV or Parquet; a file of that name is replaced
    whole.

    Raises ValueError for another ending, and for Parquet where pyarrow is not installed.
    """
    target = Path(path)
    _, write = _format(target)
    write(target, [columns_of(located)])


def read_located(path: str | Path) -> Located:
    """Reads a table that `write_located`, or another program, wrote.

    Raises ValueError, with the file, for another ending, missing columns (and names those that are
    there), and what is no number.
    """
    source = Path(path)
    if not source.is_file():
        raise ValueError(f"there is no table {source}")
    read, _ = _format(source)
    try:
        return located_of(read(source))
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error


def columns_of(located: Located) -> dict[str, NDArray[Any]]:
    """The columns of a table, by name, in their order."""
    names = _names(located.dims)
    values = [
        located.id,
        *located.point.T,
        *located.begin.T,
        *located.end.T,
        located.voxels,
        located.volume,
        located.confidence,
    ]
    return dict(zip(names, values, strict=True))


def located_of(columns: Columns) -> Located:
    """The table of these columns.  ValueError where one is missing."""
    dims = 3 if "z_nm" in columns else 2
    names = _names(dims)
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(
            f"it has no column {', '.join(missing)}; it has: {some(list(columns), _SHOWN)}"
        )
    number, *lengths, voxels, volume, confidence = (columns[name] for name in names)
    point, begin, end = (
        np.stack(lengths[first : first + dims], axis=-1) for first in range(0, 3 * dims, dims)
    )
    return Located(number, point, begin, end, voxels, volume, confidence)


def check_writable(path: str | Path) -> None:
    """ValueError where a table of that name cannot be written here, before anything is
    computed."""
    if Path(path).suffix == ".parquet":
        _pyarrow()
    _format(Path(path))


def _names(dims: int) -> tuple[str, ...]:
    axes = "zyx"[-dims:]
    lengths = [f"{what}{axis}_nm" for what in ("", "begin_", "end_") for axis in axes]
    return ("id", *lengths, "voxels", "volume_um3" if dims == 3 else "area_um2", "confidence")


def write_columns(pieces: Iterable[Columns], path: str | Path) -> None:
    """Writes a table, whose pieces have the same columns and come one after another, by the ending
    of its name as CSV or Parquet; a file of that name is replaced whole.  There is one piece at
    least.

    Raises ValueError for another ending, and for Parquet where pyarrow is not installed.
    """
    target = Path(path)
    _, write = _format(target)
    write(target, pieces)


def _write_csv(path: Path, pieces: Iterable[Columns]) -> None:
    with (
        replacing(path, many_writers=True, durable=True) as staged,
        staged.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file, lineterminator="\n")
        for number, columns in enumerate(pieces):
            if not number:
                writer.writerow(columns)
            # Python's numbers: the shortest text that gives the same float again
            values = (column.tolist() for column in columns.values())
            writer.writerows(zip(*values, strict=True))


def _read_csv(path: Path) -> Columns:
    with path.open(newline="", encoding="utf-8-sig") as file:
        rows = csv.reader(file)
        names = [name.strip() for name in next(rows, [])]
        # a line may be empty
        table = [(rows.line_num, row) for row in rows if row]
    wrong = next((line for line, row in table if len(row) != len(names)), None)
    if wrong is not None:
        raise ValueError(f"line {wrong} has another number of columns than the first")
    wanted = {*_names(3), *_names(2)}
    return {
        name: _column(name, ((line, row[place]) for line, row in table))
        for place, name in enumerate(names)
        if name in wanted
    } | {name: np.empty(0) for name in names if name not in wanted}


def _column(name: str, texts: Iterable[tuple[int, str]]) -> NDArray[Any]:
    number: Callable[[str], Any] = int if name in _WHOLE else float
    values = []
    for line, text in texts:
        try:
            values.append(number(text))
        except ValueError:
            kind = "whole number" if name in _WHOLE else "number"
            raise ValueError(f"line {line}: {name} is {text!r}, which is no {kind}") from None
    return _numbers(name, values)


def _numbers(name: str, values: Sequence[Any]) -> NDArray[Any]:
    # uint64: a float64 id collides above 2**53
    try:
        return np.array(values, np.uint64 if name in _WHOLE else np.float64)
    except OverflowError:
        raise ValueError(f"{name} has numbers below 0 or above 2**64 - 1") from None


def _write_parquet(path: Path, pieces: Iterable[Columns]) -> None:
    pyarrow, parquet = _pyarrow()
    with replacing(path, many_writers=True, durable=True) as staged:
        tables = (pyarrow.table(dict(columns)) for columns in pieces)
        first = next(tables)
        with parquet.ParquetWriter(staged, first.schema) as writer:
            for table in chain((first,), tables):
                writer.write_table(table)


def _read_parquet(path: Path) -> Columns:
    _, parquet = _pyarrow()
    try:
        table = parquet.read_table(path)
    except Exception as error:  # pyarrow has errors of its own
        raise ValueError(f"it is no Parquet file, or damaged: {error}") from error
    wanted = {*_names(3), *_names(2)}
    return {
        name: table[name].to_numpy() if name in wanted else np.empty(0)
        for name in table.column_names
    }


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise ValueError(
            "Parquet files are read and written by pyarrow, which is not installed: pip install "
            "pyarrow, or take a table in CSV, which holds the same"
        ) from None
    return pyarrow, pyarrow.parquet


Read = Callable[[Path], Columns]
Write = Callable[[Path, Iterable[Columns]], None]
_FORMATS: dict[str, tuple[Read, Write]] = {
    ".csv": (_read_csv, _write_csv),
    ".parquet": (_read_parquet, _write_parquet),
}


def _format(path: Path) -> tuple[Read, Write]:
    if path.suffix not in _FORMATS:
        raise ValueError(f"a table is called .csv or .parquet, got {path.name!r}")
    return _FORMATS[path.suffix]


__all__ = ["check_writable", "located_of", "read_located", "write_columns", "write_located"]
