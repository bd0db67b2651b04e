"""Error sites of volumes on disk, in blocks, against those of whole arrays."""

import dataclasses
import json

import cc3d
import numpy as np
import pytest
from segmented_volumes import (
    NAMES,
    ROI,
    VOXEL_SIZE,
    only,
    segmented,
    segments_of,
    truth_of,
    with_evaluate,
    with_thresholds,
    write,
)

from lsd.evaluation.boundaries import NOT_COMPARED
from lsd.evaluation.error_sites.placing import error_sites
from lsd.evaluation.error_sites.sites import read_sites
from lsd.evaluation.run import evaluate
from lsd.segmentation.run import segment
from lsd.segmentation.threshold import array_name
from lsd.spec import Cremi, Workers
from lsd.spec.paths import evaluation_file, run_folder, sites_file


def expected_sites(config, name, threshold, truth=None, offset=(0, 0, 0), **options):
    """Of whole arrays, places moved to where these lie in the world."""
    truth = truth_of(NAMES.index(name)) if truth is None else truth
    mask = np.ones(ROI.shape, bool)
    mask[:, :4] = False
    sites = error_sites(
        segments_of(config, name, array_name(threshold)),
        truth,
        voxel_size=VOXEL_SIZE,
        mask=mask,
        **options,
    )
    begin = [n * size + nm for n, size, nm in zip(ROI.begin, VOXEL_SIZE, offset, strict=True)]
    return [
        dataclasses.replace(
            site, place=tuple(a + b for a, b in zip(site.place, begin, strict=True))
        )
        for site in sites
    ]


def shown(sites):
    return [site.as_dict() for site in sites]


def test_blocks_give_the_sites_of_the_whole(config) -> None:
    found = {}
    for block in ((256, 256, 256), (5, 7, 6), (1, 22, 24)):
        evaluation = evaluate(with_evaluate(config, block=block, background="ignore"))
        found[block] = evaluation.sites
        for name in NAMES:
            wanted = expected_sites(config, name, evaluation.threshold, background="ignore")
            assert shown(evaluation.sites[name]) == shown(wanted)
            assert len(wanted) > 20
    assert read_sites(evaluation_file(config)) == {
        name: list(sites) for name, sites in found[(5, 7, 6)].items()
    }
    lines = sites_file(config).read_text().splitlines()
    assert len(lines) == 1 + sum(map(len, found[(5, 7, 6)].values()))


def test_so_many_as_are_asked_for(config) -> None:
    few = evaluate(with_evaluate(only(config, "a"), sites=2)).sites["a"]
    assert [s.kind for s in few].count("split") == [s.kind for s in few].count("merge") == 2
    none = evaluate(with_evaluate(only(config, "a"), sites=0))
    assert none.sites == {"a": ()}
    assert json.loads(evaluation_file(config).read_text())["sites"] == []
    assert not (evaluation_file(config).parent / "evaluation-1.json").exists(), "the same scores"


def test_between_voxels_places_are_those_of_the_world(tmp_path) -> None:
    config = only(segmented(tmp_path, (2, 0, -3.5)), "c")
    config = config.derive(
        dataset=config.dataset.derive(validate=(config.dataset.test[0],), test=())
    )
    evaluation = evaluate(config)
    wanted = expected_sites(config, "c", evaluation.threshold, offset=(2, 0, -3.5))
    assert shown(evaluation.sites["c"]) == shown(wanted)


def test_pieces_of_the_truth_are_named_by_their_labels(config) -> None:
    config = with_evaluate(only(config, "a"), connected=True)
    evaluation = evaluate(config)
    truth = truth_of(0)
    truth[:, :4] = 0
    pieces = cc3d.connected_components(truth, connectivity=26).astype(np.uint64)
    wanted = expected_sites(config, "a", evaluation.threshold, truth=pieces)
    found = evaluation.sites["a"]
    assert [s.place for s in found] == [s.place for s in wanted]
    for site in found:
        at = tuple(int(nm // 8) - begin for nm, begin in zip(site.place, ROI.begin, strict=True))
        assert truth[at] == site.truth[0]
    labels = dict(zip(pieces.ravel().tolist(), truth.ravel().tolist(), strict=True))
    assert [s.truth for s in found] == [tuple(labels[p] for p in s.truth) for s in wanted]


def test_a_threshold_that_was_not_segmented_has_sites(config) -> None:
    """Its table follows from the edges, and is kept where blocks find it."""
    other = with_thresholds(only(config, "a"), (0.45,))
    evaluation = evaluate(other)
    assert (run_folder(config) / "evaluation" / "a" / "tables" / "0.45.npy").exists()

    segment(other)
    wanted = expected_sites(config, "a", 0.45)
    assert shown(evaluation.sites["a"]) == shown(wanted)
    assert shown(evaluate(other).sites["a"]) == shown(wanted)


def test_the_background_of_a_metric_is_no_part_of_a_site(config) -> None:
    """Objects that lie in segment 0 were missed, not merged."""
    dark = only(config, "a").derive(segment={"fragments": {"foreground_only": True}})
    segment(dark)
    evaluation = evaluate(with_evaluate(dark, metric="objects"))
    found = evaluation.sites["a"]
    assert not segments_of(dark, "a", array_name(evaluation.threshold)).all()
    assert len(found) > 5
    assert not any(0 in (*site.segments, *site.truth) for site in found)
    wanted = expected_sites(dark, "a", evaluation.threshold, background="ignore")
    assert shown(found) == shown(wanted)


def test_to_a_metric_without_background_sites_are_of_label_0_too(config, tmp_path) -> None:
    truth = truth_of(0)
    truth[4:11, 6:16, 6:18] = 0
    write(tmp_path / "a.zarr", "labels", truth)
    settings = {"metric": Cremi(boundary=8), "use_mask": False, "sites": 10_000}
    volume = evaluate(with_evaluate(only(config, "a"), **settings)).volumes["a"]
    for kind, voi in (("split", volume.scored.voi_split), ("merge", volume.scored.voi_merge)):
        assert sum(s.bits for s in volume.sites if s.kind == kind) == pytest.approx(voi)
    objects = {label for site in volume.sites for label in site.truth}
    assert 0 in objects
    assert NOT_COMPARED not in objects


@pytest.mark.slow
def test_workers_find_the_same(config) -> None:
    here = evaluate(only(config, "a")).sites
    away = with_evaluate(only(config, "a"), block=(7, 11, 12), workers=Workers(count=2))
    assert evaluate(away).sites == here


def test_what_was_left_half_done_of_other_sites_is_no_obstacle(config) -> None:
    config = with_evaluate(only(config, "a"), block=(5, 7, 6))
    evaluate(config)
    folder = run_folder(config) / "evaluation" / "a" / "blocks" / "sites_touch"
    [done] = folder.glob("*.done")
    done.write_bytes(done.read_bytes()[:80])
    few = evaluate(with_evaluate(config, sites=3)).sites["a"]
    assert len(few) == 6
