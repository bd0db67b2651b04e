"""A run in the viewer: its layers, its axes, its state on disk, and what a browser draws."""

import io
import json
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image as Picture
from run_with_segments import VOLUME, segmented_run

from lsd.blockwise.on_disk.job import Recorded
from lsd.blockwise.on_disk.step import Step, load_step
from lsd.cli.commands.view import main
from lsd.evaluation.error_map.suspects import Suspect, write_suspects
from lsd.evaluation.error_sites.sites import Site, as_list
from lsd.report.images import images_of
from lsd.report.viewer.browser import browser, screenshot
from lsd.segmentation.run import segment
from lsd.spec.paths import error_map, evaluation_file, run_folder, segmentation, suspects
from lsd.volumes.array import open_array
from lsd.volumes.skeletons import write_skeletons

neuroglancer = pytest.importorskip("neuroglancer")

from lsd.arrays.skeletons import Skeletons  # noqa: E402
from lsd.report.viewer.run import view  # noqa: E402

SITE = Site("merge", (3,), (1, 2), (40, 20), 0.25, 7, (260.0, 45.0, 40.0))
SUSPECT = Suspect(5, 0.5, 12, (300.0, 9.0, 20.0))
LINE = Skeletons([1, 2], [9, 9], [[240.0, 9.0, 16.0], [400.0, 45.0, 40.0]], [[1, 2]])


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    """With skeletons, and a site that an evaluation found."""
    folder = tmp_path_factory.mktemp("run")
    config = segmented_run(folder)
    raw = open_array(folder / "data.zarr", "raw", writable=True)
    noise = np.random.default_rng(0).integers(0, 256, raw.shape)
    raw.write(noise.astype(np.uint8), raw.roi)
    write_skeletons(LINE, folder / "line.npz")
    [volume] = config.dataset.validate
    config = config.derive(
        dataset=config.dataset.derive(validate=(volume.derive(skeletons="line.npz"),))
    )
    note(config)
    return config


def note(config):
    """A site and a suspect of the segmentation that there is."""
    write_suspects([SUSPECT], suspects(config, VOLUME))
    steps = {path.parent.name: load_step(path.parent).digest for path in written(config)}
    noted = {VOLUME: {"segmentation": {name: steps[name] for name in ("fragments", "edges")}}}
    scores = {"sites": as_list({VOLUME: [SITE]}), "made_from": noted}
    evaluation_file(config).write_text(json.dumps(scores))
    segments = {"ids": {"made_from": steps["fragments"]}, "table": {"made_from": steps["edges"]}}
    compared = Recorded({"segmentation": segments, "head": {"made_from": ""}}, {})
    grid = load_step(written(config)[0].parent).grid
    Step("disagreement", error_map(config, VOLUME), grid, compared).save()


def written(config):
    """What is known of the steps of its segmentation."""
    return sorted(segmentation(config, VOLUME).glob("blocks/*/step.json"))


@pytest.fixture
def viewing(config, tmp_path):
    return view(config, file=tmp_path / "viewer.json")


def layers(viewing):
    return {layer["name"]: layer for layer in viewing.viewer.state.to_json()["layers"]}


def test_everything_is_there(viewing) -> None:
    found = layers(viewing)
    at_thresholds = ["segmentation/0.28", "segmentation/0.29", "segmentation/0.6"]
    assert list(found) == [
        "raw", "truth", "affs", "fragments", *at_thresholds, "skeletons", "merges", "suspects",
    ]  # fmt: skip
    kinds = [layer["type"] for layer in found.values()]
    assert kinds == ["image", "segmentation", "image", *["segmentation"] * 5, *["annotation"] * 2]
    shown = [name for name, layer in found.items() if layer.get("visible", True)]
    assert shown == ["raw", "segmentation/0.6", "skeletons", "merges", "suspects"]
    assert viewing.address.startswith("http://127.0.0.1:")


def test_axes_are_x_y_z_in_nm(viewing) -> None:
    state = viewing.viewer.state
    assert list(state.display_dimensions) == ["x", "y", "z"]
    assert list(state.dimensions.names) == ["x", "y", "z"]
    np.testing.assert_allclose(state.dimensions.scales, np.array([4, 4.5, 40]) * 1e-9)
    # the middle of 12 x 20 x 24 voxels from (5, 0, 2) on
    assert state.position.tolist() == [14, 10, 11]


def test_places_of_errors_and_lines_are_in_voxels_of_the_world(viewing) -> None:
    [point] = layers(viewing)["merges"]["annotations"]
    np.testing.assert_allclose(point["point"], np.array(SITE.place) / (40, 4.5, 4))
    assert point["description"].startswith("merge, 0.25 bits: segment 3; truth 1, 2; 40 and 20")
    [point] = layers(viewing)["suspects"]["annotations"]
    np.testing.assert_allclose(point["point"], np.array(SUSPECT.place) / (40, 4.5, 4))
    assert point["description"] == "suspect 1: segment 5, disagreement 0.5 in 12 voxels"
    layer = viewing.viewer.state.layers["skeletons"].layer
    assert [int(segment) for segment in layer.segments] == [9]
    [source] = [
        each
        for each in viewing.viewer.volume_manager.volumes.values()
        if isinstance(each, neuroglancer.skeleton.SkeletonSource)
    ]
    made = source.get_skeleton(9)
    np.testing.assert_allclose(made.vertex_positions, LINE.positions / (40, 4.5, 4), rtol=1e-6)
    assert made.edges.tolist() == [[0, 1]]
    assert source.get_skeleton(8) is None


def test_what_is_of_another_segmentation_is_left_out_and_told(tmp_path, caplog) -> None:
    config = segmented_run(tmp_path)
    note(config)
    file = tmp_path / "viewer.json"
    assert {"merges", "suspects"} <= set(layers(view(config, file=file)))
    assert not caplog.messages
    fewer = config.derive(segment={"fragments": {"min_seed_distance": 7}})
    segment(fewer, progress=lambda line: None)
    assert not {"merges", "suspects"} & set(layers(view(fewer, file=file)))
    of_sites, of_suspects = caplog.messages
    assert "error sites of data_validate in evaluation.json are of another" in of_sites
    assert "the segmentation was made anew since" in of_sites
    assert of_sites.endswith("run `lsd evaluate`, with the config that it was segmented with.")
    assert of_suspects.endswith(
        "made anew since; to have those of what is there, run `lsd error_map`"
    )
    # as earlier versions wrote it
    caplog.clear()
    evaluation_file(config).write_text(json.dumps({"sites": as_list({VOLUME: [SITE]})}))
    assert "merges" not in layers(view(fewer, file=file))
    assert "does not note which segmentation" in caplog.messages[0]


def test_the_state_comes_up_again(config, viewing) -> None:
    with viewing.viewer.txn() as state:
        state.position = [3, 4, 5]
        state.layout = "xy"
        state.layers["raw"].visible = False
        state.layers["segmentation/0.6"].segments = [7]
        state.layers["notes"] = neuroglancer.LocalAnnotationLayer(
            dimensions=state.dimensions,
            annotations=[neuroglancer.PointAnnotation(id="a", point=[1, 2, 3])],
        )
    viewing.keep()
    text = viewing.file.read_text()
    assert json.loads(text)["position"] == [3, 4, 5]
    again = view(config, VOLUME, file=viewing.file)
    state = again.viewer.state
    assert (state.position.tolist(), state.layout.type) == ([3, 4, 5], "xy")
    found = layers(again)
    assert found["raw"]["visible"] is False
    assert [int(one) for one in state.layers["segmentation/0.6"].layer.segments] == [7]
    assert found["notes"]["annotations"][0]["point"] == [1, 2, 3]
    # its data are served by this process
    assert again.address != viewing.address
    assert len(again.viewer.volume_manager.volumes) == len(viewing.viewer.volume_manager.volumes)


def test_each_volume_has_a_state_of_its_own(config) -> None:
    """Places and chosen segments of one mean nothing in another."""
    one = view(config)
    with one.viewer.txn() as state:
        state.position = [3, 4, 5]
    one.keep()
    other = view(config, "data_test")
    assert other.viewer.state.position.tolist() == [14, 10, 11]
    assert view(config, VOLUME).viewer.state.position.tolist() == [3, 4, 5]
    assert {one.file.name, other.file.name} == {f"{VOLUME}.json", "data_test.json"}


def test_what_was_changed_last_is_kept(viewing, monkeypatch) -> None:
    def interrupted(_):
        with viewing.viewer.txn() as state:
            state.position = [6, 7, 8]
        raise KeyboardInterrupt

    monkeypatch.setattr("lsd.report.viewer.run.time", SimpleNamespace(sleep=interrupted))
    with pytest.raises(KeyboardInterrupt):
        viewing.serve()
    assert json.loads(viewing.file.read_text())["position"] == [6, 7, 8]


def test_what_is_refused(config, tmp_path) -> None:
    with pytest.raises(ValueError, match=f"no volume 'other'; there are: {VOLUME}"):
        view(config, "other", file=tmp_path / "viewer.json")
    (tmp_path / "viewer.json").write_text("[]")
    with pytest.raises(ValueError, match=r"is no state of the viewer .*delete it to start afresh"):
        view(config, file=tmp_path / "viewer.json")
    with pytest.raises(SystemExit) as end:
        main([str(tmp_path)])
    assert end.value.code == 2


needs_browser = pytest.mark.skipif(
    browser() is None, reason="no Chromium or Chrome is installed, which would draw the page"
)


@needs_browser
@pytest.mark.slow
def test_a_browser_draws_x_across_and_y_down(config, tmp_path) -> None:
    """Raw is as bright as on disk, where it lies there: of random voxels no other way fits."""
    viewing = view(config, file=tmp_path / "viewer.json")
    with viewing.viewer.txn() as state:
        state.layout = "xy"
        state.show_axis_lines = state.show_scale_bar = False
        state.show_default_annotations = False
        for layer in state.layers:
            layer.visible = layer.name == "raw"
        state.layers["raw"].opacity = 1.0
        state.cross_section_scale = 0.1
    screenshot(viewing.viewer, tmp_path / "seen.png", size=(480, 400))
    seen = np.asarray(Picture.open(tmp_path / "seen.png").convert("L")).astype(int)
    array = images_of(config, VOLUME)["raw"].array
    # ten pixels a voxel of 4 nm, the middle of the volume in the middle of the picture
    section = array.read(array.roi)[11 - 5].astype(int)
    rows = np.round(200 + (np.arange(20) + 0.5 - 10) * 10 * 4.5 / 4).astype(int)
    columns = np.round(240 + (np.arange(24) + 0.5 - 12) * 10).astype(int)
    np.testing.assert_allclose(seen[np.ix_(rows, columns)], section, atol=3)


@needs_browser
@pytest.mark.slow
def test_a_picture_by_the_command(config, tmp_path, capsys) -> None:
    file = tmp_path / "all.png"
    with pytest.raises(SystemExit) as end:
        main([str(run_folder(config)), "--screenshot", str(file), "--state", f"{tmp_path}/s.json"])
    assert end.value.code == 0, capsys.readouterr().err
    picture = Picture.open(io.BytesIO(file.read_bytes()))
    assert picture.size == (1280, 960)
    assert len(np.unique(np.asarray(picture.convert("RGB")).reshape(-1, 3), axis=0)) > 20
