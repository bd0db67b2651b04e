"""The command line: reads a config file and overrides, says what is wrong in a sentence, sets the exit status.

A config file is Python and is executed: only run files you wrote.  The config.json of a run folder is data, and can be
given in its place.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import logging
import runpy
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from pydantic import BaseModel, ValidationError

from lsd.report.log import RunLog, note
from lsd.spec import Config, Spec
from lsd.spec.base import collecting
from lsd.spec.paths import log_file

DICTIONARIES = {
    "dataset": "DATASETS",
    "variant": "VARIANTS",
    "network": "NETWORKS",
    "dataset.augment": "AUGMENTATIONS",
}
DEFAULT_CONFIG = Path("config") / "config.py"


class ConfigError(ValueError):
    """A config file or an override that cannot be used; the message says why, a line for each mistake."""


def main(
    command: Callable[[Config], object], description: str, *, argv: Sequence[str] | None = None, default: Path = DEFAULT_CONFIG
) -> None:
    """Runs `command` with the config that the command line names (by default `default`), and exits.

    Exit status: 0 done, 1 failed, 2 wrong config, 130 interrupted.  A failure is one sentence; --debug adds the traceback.
    """
    arguments = _parse(description, argv, default)
    logging.basicConfig(level=logging.DEBUG if arguments.debug else logging.INFO, format="%(message)s")
    logging.captureWarnings(True)
    _quiet_libraries()
    words = (sys.argv[0], *(sys.argv[1:] if argv is None else argv))
    guarded(lambda: _logged(command, load(arguments.config, arguments.overrides), words), debug=arguments.debug)


def say(*words: object) -> None:
    """Prints the words, and has them in the log of the run."""
    text = " ".join(map(str, words))
    print(text)  # noqa: T201  (what a script was run for)
    note(text)


def guarded(action: Callable[[], object], *, debug: bool) -> None:
    """Does it and exits, with the exit status and the one sentence that `main` promises."""
    try:
        with _terminable():
            action()
    except ConfigError as error:
        _fail(error, 2, debug=debug)
    except KeyboardInterrupt:
        _fail("interrupted; the same command goes on from the last checkpoint or block", 130, debug=False)
    except (ValueError, OSError, RuntimeError, MemoryError, ImportError, KeyError) as error:
        _fail(error, 1, debug=debug)
    sys.exit(0)


def load(path: str | Path = DEFAULT_CONFIG, overrides: Iterable[str] = ()) -> Config:
    """The config of a file (.py with a variable `config`, or .json) with "key=value" overrides applied.

    Names (dataset=fib25) come from the file's own DATASETS, VARIANTS, NETWORKS and AUGMENTATIONS.
    Raises ConfigError with every mistake found.
    """
    path = Path(path)
    if not path.is_file():
        raise ConfigError(f"no config file {str(path)!r}; name one with -c, or start in the folder that holds {DEFAULT_CONFIG}")
    if path.suffix == ".json":
        return override(_from_json(path), overrides, {})
    names = _execute(path)
    config = names.get("config")
    if not isinstance(config, Config):
        raise ConfigError(f"{path} sets no `config = Config(...)`, found {type(config).__name__}")
    return override(config, overrides, {key: names.get(name, {}) for key, name in DICTIONARIES.items()})


def override(config: Config, overrides: Iterable[str], dictionaries: Mapping[str, Mapping[str, Any]]) -> Config:
    """`config` with "key=value" applied and validated again; a value may be a name of the dictionary for its key.

    Raises ConfigError with every mistake found.
    """
    mistakes, texts = [], {}
    for text in overrides:
        try:
            key, texts[key] = _split(text)
        except ConfigError as error:
            mistakes.append(str(error))
    data, wrong = _plain(config), None
    for key in sorted(texts, key=lambda key: key.count(".")):
        try:
            # against the last config that was right: dataset=x changes what dataset.train.0 is
            _check_path(config, key)
            _put(data, key, _value(key, texts[key], dictionaries))
        except ConfigError as error:
            mistakes.append(str(error))
            continue
        # what is wrong now may be right with an override that is yet to come
        config, wrong = _validated(config, data, texts)
        data = data if wrong else _plain(config)
    if wrong:
        mistakes += explain(wrong)
    if mistakes:
        raise ConfigError("\n".join(mistakes))
    return config


def _validated(config: Config, data: dict[str, Any], texts: Mapping[str, str]) -> tuple[Config, ValidationError | None]:
    """The config of the data, or the one given, and what is wrong.  Where text is wanted, what reads like a number is text."""
    try:
        return Config.model_validate(data), None
    except ValidationError as error:
        keys = [".".join(map(str, detail["loc"])) for detail in error.errors() if detail["type"] == "string_type"]
        if not any(key in texts for key in keys):
            return config, error
        for key in keys:
            if key in texts:
                _put(data, key, texts[key])
        return _validated(config, data, {key: text for key, text in texts.items() if key not in keys})


def explain(error: ValidationError) -> list[str]:
    """One line for each mistake: where (from the spec that was built, unless it is the whole config), what, what was found."""
    inside = "" if error.title == Config.__name__ else f"{error.title}."
    return [_explain(error.title, inside, detail) for detail in error.errors()]


def _parse(description: str, argv: Sequence[str] | None, default: Path) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("-c", "--config", default=default, type=Path, help="config file (default: %(default)s)")
    parser.add_argument("--debug", action="store_true", help="show the traceback of a failure")
    parser.add_argument("overrides", nargs="*", metavar="key=value", help="e.g. variant=acrlsd train.batch_size=2")
    return parser.parse_args(argv)


@contextmanager
def _terminable() -> Iterator[None]:
    """SIGTERM as Ctrl-C: locks are given back, and it is said how to go on."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _logged(command: Callable[[Config], object], config: Config, words: Sequence[str]) -> None:
    with RunLog(log_file(config), words):
        command(config)


def _quiet_libraries() -> None:
    for name in ("gunpowder", "matplotlib", "numba", "numexpr", "PIL", "asyncio", "fontTools"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _fail(error: object, status: int, *, debug: bool) -> None:
    if debug:
        traceback.print_exc()
    text = error.args[0] if isinstance(error, KeyError) and error.args else error
    print(f"error: {text or type(error).__name__}", file=sys.stderr)  # noqa: T201  (the one place that speaks to the terminal)
    sys.exit(status)


def _from_json(path: Path) -> Config:
    try:
        return Config.model_validate_json(path.read_bytes())
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in explain(error))) from error


def _execute(path: Path) -> dict[str, Any]:
    with collecting() as errors:
        try:
            names = runpy.run_path(str(path))
        except Exception as error:
            if not errors:
                what = f"{type(error).__name__}: {error}{_close_to(error)}"
                raise ConfigError(f"{path}: {_where(error, path)}{what}") from error
    if errors:
        raise ConfigError("\n".join(f"{path}: {line}" for error in errors for line in explain(error)))
    return names


def _where(error: Exception, path: Path) -> str:
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path]
    return f"line {lines[-1]}: " if lines else ""


def _close_to(error: Exception) -> str:
    """A name like the one that a dictionary of the failing file does not have."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not (trace and isinstance(error, KeyError) and isinstance(error.args[0], str)):
        return ""
    there = [name for key in DICTIONARIES.values() for name in trace.tb_frame.f_globals.get(key, ())]
    return _meant(error.args[0], there) if there else ""


def _split(text: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{text!r} is no override; write key=value, as in train.batch_size=2")
    return key.strip(), value


def _check_path(config: Config, key: str) -> None:
    node: Any = config
    parts = key.split(".")
    for depth, part in enumerate(parts):
        where = ".".join(parts[:depth])
        if isinstance(node, BaseModel):
            fields = list(type(node).model_fields)
            if part not in fields:
                raise ConfigError(_unknown(part, fields, where, deeper=_deeper(node)))
            node = getattr(node, part)
        elif isinstance(node, tuple):
            if not part.isdecimal() or int(part) >= len(node):
                raise ConfigError(f"{where} has entries 0..{len(node) - 1}, got {part!r}")
            node = node[int(part)]
        elif isinstance(node, dict):
            node = node.get(part)
        else:
            raise ConfigError(f"{where} is {node!r} and has no field {part!r}; set {where} itself")


def _deeper(node: BaseModel) -> list[str]:
    """Fields of the specs that a spec holds, as keys from it on: train.iterations."""
    return [
        f"{key}.{name}"
        for key, value in node
        if isinstance(value, BaseModel)
        for name in (*type(value).model_fields, *_deeper(value))
    ]


def _put(data: Any, key: str, value: Any) -> None:
    *parents, last = key.split(".")
    try:
        for part in parents:
            data = data[int(part)] if isinstance(data, list) else data[part]
        data[int(last) if isinstance(data, list) else last] = value
    except (LookupError, TypeError, ValueError):
        # an earlier override, which is wrong, made something else of what holds it
        raise ConfigError(f"{key}: there is nothing of that name to set") from None


def _value(key: str, text: str, dictionaries: Mapping[str, Mapping[str, Any]]) -> Any:
    names = dictionaries.get(key, {})
    if text in names:
        return _plain(names[text])
    value = _literal(text)
    # what has a dictionary is a structure: anything plainer was meant as a name
    if key not in DICTIONARIES or isinstance(value, (dict, list, tuple)):
        return value
    if names:
        raise ConfigError(f"no {key.split('.')[-1]} {text!r}{_meant(text, names)}")
    raise ConfigError(
        f"{key}: the name {text!r} is looked up in {DICTIONARIES[key]} of a .py config, and this config holds none (a .json "
        f"never does); name a .py config with -c that imports it, as in -c {DEFAULT_CONFIG} {key}={text}"
    )


def _literal(text: str) -> Any:
    if text.lower() in ("none", "null", "true", "false"):
        return {"none": None, "null": None, "true": True, "false": False}[text.lower()]
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return text


def _plain(value: Any) -> Any:
    """Nested specs as dictionaries and lists, which overrides can change."""
    if isinstance(value, BaseModel):
        value = value.model_dump()
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, (tuple, list)) else value


def _explain(title: str, inside: str, detail: Mapping[str, Any]) -> str:
    where = inside + ".".join(str(part) for part in detail["loc"])
    if detail["type"] == "extra_forbidden":
        fields = _fields(title if len(detail["loc"]) == 1 else None)
        return _unknown(str(detail["loc"][-1]), fields, where.rpartition(".")[0])
    message = detail["msg"].removeprefix("Value error, ")
    if detail["type"] in ("value_error", "missing"):
        place = where.rstrip(".") or ("" if title == Config.__name__ else title)
        return f"{place}: {message}" if place else message
    return f"{where}: {message[:1].lower()}{message[1:]}, got {detail['input']!r}"


def _unknown(name: str, fields: Sequence[str], where: str, *, deeper: Sequence[str] = ()) -> str:
    prefix = f"{where}: " if where else ""
    return f"{prefix}no field {name!r}{_meant(name, fields, deeper)}"


def _meant(name: str, allowed: Iterable[str], deeper: Sequence[str] = ()) -> str:
    """What a name may stand for: one of these, or the end of one of the deeper keys."""
    own = list(allowed)
    keys = {key: [key] for key in own}
    for key in deeper:
        last = key.rpartition(".")[2]
        if last not in own:
            keys.setdefault(last, []).append(key)
    close = keys.get(name) or [key for like in difflib.get_close_matches(name, keys, n=1) for key in keys[like]]
    return f"; did you mean {' or '.join(map(repr, close))}?" if close else f"; there are: {', '.join(own)}"


def _fields(title: str | None) -> list[str]:
    """Fields of the spec called `title`, or of all specs."""
    specs = [spec for spec in _subclasses(Spec) if title in (None, spec.__name__)]
    return sorted({field for spec in specs for field in spec.model_fields})


def _subclasses(base: type[Spec]) -> list[type[Spec]]:
    return [spec for child in base.__subclasses__() for spec in (child, *_subclasses(child))]
