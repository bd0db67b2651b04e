"""A config from its file: Python that sets `config`, or the config.json of a run."""

from __future__ import annotations

import difflib
import re
import runpy
import traceback
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from lsd.cli.overrides import CONFIGS, DEFAULT_CONFIG, DICTIONARIES, override
from lsd.cli.siblings import siblings_importable
from lsd.spec import Config, Setting, Sweep
from lsd.spec.blame import from_here, in_words, mistake_at
from lsd.spec.collected import collecting
from lsd.spec.kinds import import_kinds, imported, modules_named_by, take_over
from lsd.spec.mistakes import ConfigError, brief, lines, suggestion
from lsd.spec.user_paths import expanded
from lsd.system.commands import typed


def load(path: str | Path | None = None, overrides: Iterable[str] = ()) -> Config:
    """The config of a file (.py with a variable `config`, or .json) with "key=value" overrides
    applied; None: the first of CONFIGS that is there.

    Names (dataset=fib25) come from the file's own DATASETS, VARIANTS, NETWORKS and AUGMENTATIONS.
    While the file runs, its own folder is searched for what it imports, too.  Raises ConfigError
    with every mistake found.
    """
    path, overrides = _file(_usual() if path is None else path), tuple(overrides)
    _import_named(overrides, path)
    if path.suffix == ".json":
        return override(_from_json(path), overrides, {})
    names = _execute(path)
    config = names.get("config")
    if not isinstance(config, Config):
        what = f"its config is {brief(config)}" if "config" in names else "it sets no `config`"
        raise ConfigError(f"{path}: {what}; write `config = Config(...)` in it")
    return override(_checked(config, path), overrides, _dictionaries(names, path))


def load_settings(
    path: str | Path, overrides: Iterable[str] = ()
) -> tuple[Sweep | None, dict[str, Setting]]:
    """The sweep that a file sets as `sweep`, and its settings with the overrides applied to the
    config of each; of a file that sets a `config` alone there is no sweep, and one setting.

    Raises ConfigError with every mistake found.
    """
    path, overrides = _file(path), tuple(overrides)
    if path.suffix == ".json":
        config = load(path, overrides)
        return None, {config.name: Setting(config=config)}
    _import_named(overrides, path)
    names = _execute(path)
    sweep, alone = names.get("sweep"), names.get("config")
    if isinstance(sweep, Sweep):
        settings = dict(sweep.settings)
    elif isinstance(alone, Config):
        sweep, settings = None, {alone.name: Setting(config=alone)}
    else:
        raise ConfigError(f"{path} sets neither `sweep = Sweep(...)` nor `config = Config(...)`")
    dictionaries = _dictionaries(names, path)
    changed = {
        name: Setting(
            config=override(_checked(setting.config, path), overrides, dictionaries),
            minutes=setting.minutes,
        )
        for name, setting in settings.items()
    }
    return sweep, changed


def _dictionaries(names: Mapping[str, Any], path: Path) -> dict[str, Any]:
    """What names on the command line are looked up in."""
    dictionaries = {key: names.get(name, {}) for key, name in DICTIONARIES.items()}
    odd = [DICTIONARIES[key] for key, value in dictionaries.items() if not isinstance(value, dict)]
    if odd:
        raise ConfigError(f"{path}: {odd[0]} is no dictionary of names")
    return dictionaries


def _usual() -> Path:
    return next((path for path in CONFIGS if path.is_file()), DEFAULT_CONFIG)


def _file(path: str | Path) -> Path:
    try:
        file = expanded(path)
        if file.is_dir():
            raise ConfigError(f"{str(path)!r} is a folder; name the config file in it with -c")
        if file.is_file():
            return file
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; name a config file that can be read with -c"
        ) from error
    except ValueError as error:
        raise ConfigError(str(error)) from error
    raise ConfigError(f"no config file {str(path)!r}{_way_out(file)}")


def _way_out(path: Path) -> str:
    """What may have been meant by a file that is not there."""
    configs = [file.name for suffix in ("py", "json") for file in path.parent.glob(f"*.{suffix}")]
    alike = difflib.get_close_matches(path.name, configs)
    if alike:
        return f"; did you mean {' or '.join(repr(str(path.with_name(name))) for name in alike)}?"
    if path == DEFAULT_CONFIG:
        return (
            f"; name one with -c, start in the folder that holds {DEFAULT_CONFIG}, or have one "
            f"written: {typed('new')[:-1]} NAME`"
        )
    return f"; name one with -c, or start in the folder that holds {DEFAULT_CONFIG}"


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(
            f"{path}: {error.strerror}; name a config file that can be read with -c"
        ) from error
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is no text in UTF-8 ({error.reason} at byte {error.start})"
        ) from error


def _from_json(path: Path) -> Config:
    text = _read(path)
    # whoever names the file has it import what it names; modules are looked for as if the file
    # stood in the working folder
    with siblings_importable(Path.cwd() / path.name):
        _import(modules_named_by(text), path)
    try:
        return Config.model_validate_json(text)
    except ValidationError as error:
        [first, *_] = error.errors(include_url=False)
        if first["type"] == "json_invalid":
            raise ConfigError(
                f"{path} is no JSON: {first['ctx']['error']}; take the config.json of a run, or a "
                f".py"
            ) from error
        if not first["loc"] and first["type"] == "model_type":
            raise ConfigError(
                f"{path} holds {brief(first['input'])}, wanted are the fields of a config, {{...}}"
            ) from error
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines(error))) from error


def _import_named(overrides: Iterable[str], path: Path) -> None:
    """Imports the modules that imports=... on the command line names."""
    texts = [text.partition("=")[2] for text in overrides if text.startswith("imports=")]
    names = [name for text in texts for name in re.findall(r"[\w.]+", text) if name != "none"]
    if names:
        with siblings_importable(path), siblings_importable(Path.cwd() / path.name):
            _import(names, path)


def _import(names: Iterable[str], path: Path) -> None:
    """Imports modules that define kinds, and leaves their folders to be searched, as other
    processes of the run do: what does the work of a kind may be imported late."""
    names = tuple(names)
    try:
        import_kinds(names)
        take_over({name: imported()[name] for name in names})
    except ValueError as error:
        raise ConfigError(f"{path}: imports: {error}") from error


def _checked(config: Config, path: Path) -> Config:
    try:
        # not of a class that only the file knows: configs go to other processes
        return Config.model_validate(config)
    except ValidationError as error:
        raise ConfigError("\n".join(f"{path}: {line}" for line in lines(error))) from error


def _execute(path: Path) -> dict[str, Any]:
    _read(path)  # whether it can be: what Python says of that does not name the file
    with collecting() as errors, siblings_importable(path) as finder:
        try:
            names = runpy.run_path(str(path))
        except (Exception, SystemExit) as error:
            finder.forget()
            if not errors:
                what = f"{_where(error, path)}{in_words(error)}{_close_to(error)}"
                raise ConfigError(f"{path}: {what}") from error
        if errors:
            finder.forget()
        else:
            _import(_modules(names), path)
    if errors:
        # a mistake in a helper that several files call is one
        mistakes = dict.fromkeys(f"{path}: {line}" for error in errors for line in lines(error))
        raise ConfigError("\n".join(mistakes))
    return names


def _modules(names: Mapping[str, Any]) -> list[str]:
    """The modules that other processes of what a file sets must find: those of its configs, and
    that of the further scores of a sweep."""
    sweep, config = names.get("sweep"), names.get("config")
    configs = [config] if isinstance(config, Config) else []
    further = []
    if isinstance(sweep, Sweep):
        configs += [setting.config for setting in sweep.settings.values()]
        further = [sweep.further.partition(":")[0]] if sweep.further else []
    modules = [module for config in configs for module in config.imports]
    return list(dict.fromkeys([*modules, *further]))


def _where(error: BaseException, path: Path) -> str:
    """The line of the config file, and that of the module it imports in which the error arose."""
    lines = [
        frame.lineno
        for frame in traceback.extract_tb(error.__traceback__)
        if Path(frame.filename) == path
    ]
    file, _, line = mistake_at(error).rpartition(", line ")
    if file == from_here(path):
        return f"line {line}: "
    of_config = f"line {lines[-1]}: " if lines else ""
    return f"{of_config}{file}, line {line}: " if file else of_config


def _close_to(error: BaseException) -> str:
    """A name like the one that a dictionary of the failing file does not have."""
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    if not (trace and isinstance(error, KeyError) and isinstance(error.args[0], str)):
        return ""
    known = [
        name for key in DICTIONARIES.values() for name in trace.tb_frame.f_globals.get(key, ())
    ]
    return suggestion(error.args[0], known) if known else ""
