"""What of an evaluation is of the segmentations that there are now, and is shown beside them."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from lsd.segmentation.made_from import Standing

Json = Mapping[str, Any]

# what is told of a volume beside its scores: where it lies, and which part it is of
_NOTHING: Json = {"scores": None, "fragments": None, "sweep": {}}


def without_scores(evaluation: Json, volumes: Collection[str]) -> Json:
    """An evaluation.json without the scores of these volumes, and of the parts of the dataset that
    they are of; the volumes themselves stay.  Where no scores are left, the settings that volumes
    were segmented with and the threshold that was picked go too."""
    if not volumes:
        return evaluation
    kept: dict[str, Any] = {**evaluation, **_sections(evaluation, volumes)}
    if "sites" in kept:
        kept["sites"] = [site for site in kept["sites"] if site["volume"] not in volumes]
    if along := evaluation.get("skeletons"):
        kept["skeletons"] = {**along, **_sections(along, volumes, per_skeleton=[])}
    if heads := evaluation.get("heads"):
        kept["heads"] = _of_heads(heads, evaluation, volumes)
    names = {*evaluation.get("volumes", {}), *evaluation.get("skeletons", {}).get("volumes", {})}
    gone = ("segment", "threshold", "chosen_on") if names <= {*volumes} else ()
    return {name: value for name, value in kept.items() if name not in gone}


def sentences(standing: Mapping[str, Standing], file: str, volume: str | None = None) -> list[str]:
    """A sentence for each reason why scores are not, or not for sure, of what is there.

    file: with the scores; volume: of this one alone
    """
    by_reason: dict[Standing, list[str]] = {}
    for name, each in standing.items():
        if not each.is_known and volume in (None, name):
            by_reason.setdefault(each, []).append(name)
    return [sentence(each, file, names) for each, names in by_reason.items()]


def sentence(standing: Standing, file: str, volumes: Iterable[str]) -> str:
    """What of the scores of volumes is not shown, why, and the way out."""
    named = ", ".join(volumes)
    if standing.is_other:
        return (
            f"The scores and error sites of {named} in {file} are of another segmentation than "
            f"there is now, and are not shown: {standing.why}. To score what is there, run "
            f"{standing.way_out}, with the config that it was segmented with."
        )
    return (
        f"The scores of {named} in {file} may be of another segmentation than there is now: "
        f"{standing.why}. Error sites, which name segments, are not shown; to have scores of what "
        f"is there for sure, run {standing.way_out}, with the config that it was segmented with."
    )


def _sections(content: Json, volumes: Collection[str], **nothing: Any) -> dict[str, Any]:
    """Volumes and parts of a section of an evaluation.json."""
    scored: Json = content.get("volumes", {})
    parts = {scored[name]["part"] for name in volumes if name in scored}
    own = {
        name: {**volume, **_NOTHING, **nothing} if name in volumes else volume
        for name, volume in scored.items()
    }
    kept = {part: values for part, values in content.get("parts", {}).items() if part not in parts}
    return {"volumes": own, "parts": kept}


def _of_heads(heads: Json, evaluation: Json, volumes: Collection[str]) -> Json:
    parts = {evaluation["volumes"][name]["part"] for name in volumes if name in heads["volumes"]}
    return {
        "volumes": {name: own for name, own in heads["volumes"].items() if name not in volumes},
        "parts": {part: own for part, own in heads["parts"].items() if part not in parts},
    }
