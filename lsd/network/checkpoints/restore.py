"""From a checkpoint to networks: which file, what was trained, and its weights in place."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint, files
from lsd.spec import Config, Variant
from lsd.spec.kinds import absent, modules_named_by
from lsd.spec.paths import checkpoints, config_file, run_folder
from lsd.spec.user_paths import expanded


@dataclass(frozen=True)
class Restored:
    """What a checkpoint holds for prediction; cascade has the stages up to `stage`, in eval mode.

    config: the checkpoint's own; sha256: of the file before its comment; normalisation: how raw was
            scaled in training;
    voxel_size: of what it was trained on, nm, where the checkpoint says
    losses: parameters that the losses of `stage` own
    """

    cascade: Cascade
    config: Config
    stage: str
    iteration: int
    normalisation: Mapping[str, Any]
    voxel_size: tuple[float, ...] | None
    sha256: str
    losses: Mapping[str, Tensor] = field(default_factory=dict)


def from_checkpoint(path: str | Path, *, averaged: bool = True) -> Restored:
    """The networks of a checkpoint on the CPU, built from the config inside it.

    averaged: the moving average of the weights (EMA), where the checkpoint has one
    Raises ValueError where the file is damaged or its weights do not fit its config.
    """
    content = checkpoint.load(path)
    config = config_of(content, where=path)
    cascade = Cascade(until(config.variant, content["stage"]), config.network.trunk)
    load_weights(cascade, weights(content, averaged=averaged), where=str(path))
    return Restored(
        cascade=cascade.eval(),
        config=config,
        stage=content["stage"],
        iteration=content["iteration"],
        normalisation=content["normalisation"],
        voxel_size=None if content.get("voxel_size") is None else tuple(content["voxel_size"]),
        sha256=content["sha256"],
        losses=loss_parameters(content, averaged=averaged),
    )


def weights(content: Mapping[str, Any], *, averaged: bool = True) -> dict[str, Tensor]:
    """State of the cascade in a checkpoint's content; with `averaged`, averages stand in for the
    weights they are of."""
    return {**content["model"], **(content.get("ema") or {} if averaged else {})}


def loss_parameters(content: Mapping[str, Any], *, averaged: bool = True) -> dict[str, Tensor]:
    """State of the losses in a checkpoint's content; those of earlier versions had no
    parameters."""
    averages = content.get("ema_of_losses") if averaged else None
    return {**content.get("losses", {}), **(averages or {})}


def stage_weights(
    content: Mapping[str, Any], stage: str, *, where: str | Path
) -> dict[str, Tensor]:
    """State of one stage's network, as its own load_state_dict takes it.  Raises ValueError if
    there is no such stage."""
    prefix = f"stage_{stage}."
    stage_state = {
        key.removeprefix(prefix): value
        for key, value in weights(content).items()
        if key.startswith(prefix)
    }
    if not stage_state:
        names = sorted({key.split(".")[0].removeprefix("stage_") for key in content["model"]})
        raise ValueError(f"{where} has no stage {stage!r}; it has: {', '.join(names)}")
    return stage_state


def load_weights(
    module: nn.Module, state: Mapping[str, Tensor], *, where: str, of: str = "network"
) -> None:
    """Copies state into module.  Raises ValueError, before anything is copied, where names or
    shapes differ.

    of: what the module is, for the message
    """
    expected_state = module.state_dict()
    for key in sorted(expected_state.keys() | state.keys()):
        shape, expected = (
            tuple(s[key].shape) if key in s else "none" for s in (state, expected_state)
        )
        if shape != expected:
            raise ValueError(
                f"weights in {where} do not fit the {of}: {key} has shape {shape} there, the "
                f"{of} {expected}; "
                "use the variant and network it was trained with"
            )
    module.load_state_dict(dict(state))


def until(variant: Variant, stage: str) -> Variant:
    """The variant of the stages up to `stage`, this one included."""
    names = [s.name for s in variant.stages]
    if stage not in names:
        raise ValueError(f"stage {stage!r} is none of the variant's: {', '.join(names)}")
    return Variant(stages=variant.stages[: names.index(stage) + 1])


def config_of(content: Mapping[str, Any], *, where: str | Path) -> Config:
    """The config that a checkpoint was trained with.  Raises ValueError where this version cannot
    read it, or it names modules that nobody imported."""
    missing = absent(modules_named_by(content["config"]))
    if missing:
        raise ValueError(
            f"{where}: module {missing[0]!r} is not imported, which defines kinds that it was "
            f"trained with; a checkpoint is data and imports nothing, so name the module where you "
            f"start: imports={missing[0]!r} in the config or on the command line, or "
            f"lsd.load(..., imports={missing[0]!r})"
        )
    try:
        return Config.model_validate_json(content["config"])
    except ValueError as error:
        raise ValueError(
            f"{where}: its config is not one that this version knows ({error}); use the version "
            f"that wrote it"
        ) from error


def config_hash(config: Config) -> str:
    """sha256 of a config; configs that are equal have equal ones."""
    canonical = json.dumps(config.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def checkpoint_path(name: str, config: Config) -> Path:
    """The file that predict.checkpoint means: "best" or "latest" of the run's last stage, or a
    path.

    Raises ValueError, naming what is there, where there is no such checkpoint.
    """
    if name not in ("best", "latest"):
        named = expanded(name)
        if named.is_file():
            return named
        raise ValueError(
            f"checkpoint {name!r} is no file; allowed: 'best', 'latest', or the path of a "
            f"checkpoint (.pt)"
        )
    folder = checkpoints(config, config.variant.stages[-1].name)
    path = files.best_file(folder) if name == "best" else files.newest_file(folder)
    if path is None:
        raise ValueError(f"no {name} checkpoint in {folder}; {_what_there_is(config)}")
    return path


def _what_there_is(config: Config) -> str:
    newest = {
        stage.name: files.newest_file(checkpoints(config, stage.name))
        for stage in config.variant.stages
    }
    named = ", ".join(f"{path} (stage {name})" for name, path in newest.items() if path)
    if named:
        return f"the run has: {named}; name one, or predict.checkpoint=latest"
    others = sorted(
        {path.parents[1].name for path in run_folder(config).glob("*/checkpoints/*.pt")}
    )
    if others:
        return (
            f"the run has stages {', '.join(others)}, the config's variant has "
            f"{', '.join(newest)}; repeat the overrides it was trained with, "
            f"or take -c {config_file(config)}"
        )
    of_another = checkpoints(config.derive(name="OTHER"), config.variant.stages[-1].name)
    return (
        f"train {config.name!r} first, or take the network of another run, "
        f"predict.checkpoint={of_another / files.BEST}"
    )
