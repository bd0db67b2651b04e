"""Corrections of a run come back as a segmentation, and as truth that training may learn from."""

import json

import h5py
import numpy as np
import pytest
from kinds_outside.decoders import Pieces
from run_with_segments import THRESHOLD, VOLUME, segmented_run
from scipy import ndimage

from lsd.cli.commands.correct import main
from lsd.cli.commands.export import main as export_main
from lsd.prediction.config_file import keep_config
from lsd.report.corrected import standing_of_corrected
from lsd.report.exports.correct import correct
from lsd.report.exports.exporter import ExportedVolume, Running
from lsd.report.exports.run import export, exported_volumes
from lsd.report.exports.training import training_volume
from lsd.segmentation.made_from import SAME
from lsd.segmentation.over_blocks.edges import edge_pieces
from lsd.segmentation.run import segment
from lsd.spec import Images, Sharpen, Somata, Split, Synthetic, Volume
from lsd.spec.corrections import Corrections
from lsd.spec.exports import Export, Precomputed
from lsd.spec.paths import corrected, run_folder, segmentation
from lsd.volumes.array import open_array
from lsd.volumes.create import create_array
from lsd.volumes.volume import open_volume


@pytest.fixture(scope="module")
def config(tmp_path_factory):
    return segmented_run(tmp_path_factory.mktemp("run"))


@pytest.fixture
def volume(config):
    [volume] = exported_volumes(config, Export(threshold=THRESHOLD), progress=lambda line: None)
    return volume


def read(path, name):
    array = open_array(path, name)
    return array.read(array.roi), array


def segments(config):
    fragments, _ = read(segmentation(config, VOLUME), "fragments")
    labels, array = read(segmentation(config, VOLUME), f"segmentation/{THRESHOLD}")
    return fragments, labels, array


def merged(fragments, labels):
    """Two fragments of the segment that has most of them."""
    of = [(len(np.unique(fragments[labels == label])), label) for label in np.unique(labels)[1:]]
    ids = np.unique(fragments[labels == max(of)[1]])
    return int(ids[0]), int(ids[-1])


def test_joins_and_cuts(config, volume) -> None:
    fragments, labels, array = segments(config)
    one, other = merged(fragments, labels)
    apart = [int(label) for label in np.unique(labels)[1:] if label not in labels[fragments == one]]
    place = np.argwhere(labels == apart[1])[0] + np.array(array.roi.begin)
    middle = tuple((place + 0.5) * array.voxel_size)
    corrections = Corrections(joins=[(apart[0], middle)], cuts=[(one, other)])
    container = correct(volume, corrections)
    assert container == corrected(config, VOLUME)
    found, _ = read(container, "labels")
    # what is apart, and what is one
    assert set(found[fragments == one]) != set(found[fragments == other])
    both = found[(labels == apart[0]) | (labels == apart[1])]
    assert set(both.tolist()) == {min(apart[:2])}
    # the rest is as it was, and fragments stay whole
    rest = ~np.isin(labels, [*apart[:2], labels[fragments == one][0]])
    np.testing.assert_array_equal(found[rest], labels[rest])
    pairs = np.unique(np.stack([fragments.ravel(), found.ravel()]), axis=1)
    assert len(np.unique(pairs[0])) == pairs.shape[1]
    # the cut takes edges of less weight than those around either of the two fragments
    edges = np.concatenate([*edge_pieces(segmentation(config, VOLUME) / "blocks" / "edges")])
    inside = edges[edges["score"] <= np.float32(THRESHOLD)]
    part = dict(zip(pairs[0].tolist(), pairs[1].tolist(), strict=True))
    weight = {
        end: sum(1 - row["score"] for row in inside if end in (row["u"], row["v"]))
        for end in (one, other)
    }
    own = set(np.unique(fragments[labels == labels[fragments == one][0]]).tolist())
    crossing = sum(
        1 - row["score"]
        for row in inside
        if {int(row["u"]), int(row["v"])} <= own and part[int(row["u"])] != part[int(row["v"])]
    )
    assert crossing <= min(weight.values()) + 1e-4
    # what is known: the segments that were corrected, and a voxel around them
    mask, _ = read(container, "labels_mask")
    trusted = np.isin(found, [min(apart[:2]), part[one], part[other]]) & (found > 0)
    np.testing.assert_array_equal(mask, ndimage.maximum_filter(trusted, size=3))


def test_painted_labels(config, volume, tmp_path) -> None:
    _, labels, array = segments(config)
    painted = np.zeros(labels.shape, np.uint32)
    painted[2:4, 3:9, 3:9], painted[5, 5:9, 5:9] = 77_000, 1
    grown = int(np.unique(labels)[1])
    painted[8, 2:4, 2:4] = grown
    create_array(
        tmp_path / "p.zarr", "p", roi=array.roi, voxel_size=array.voxel_size, dtype=np.uint32
    ).write(painted, array.roi)
    corrections = Corrections(painted=f"{tmp_path}/p.zarr:p", nothing=1, margin=0)
    found, _ = read(correct(volume, corrections), "labels")
    expected = np.where(painted > 1, painted, labels)
    expected[painted == 1] = 0
    np.testing.assert_array_equal(found, expected)
    mask, _ = read(corrected(config, VOLUME), "labels_mask")
    np.testing.assert_array_equal(mask, painted > 0)


def test_what_is_painted_says_where_it_lies(config, volume, tmp_path) -> None:
    """A file of a program that knows no offset would be taken for what begins at 0."""
    *_, array = segments(config)
    with h5py.File(tmp_path / "p.h5", "w") as file:
        painted = file.create_dataset("p", data=np.ones(array.roi.shape, np.uint32))
        painted.attrs["resolution"] = array.voxel_size
    corrections = Corrections(painted=f"{tmp_path}/p.h5:p")
    with pytest.raises(ValueError, match=r"does not say where it lies, .* begins at \(200.0, 0.0"):
        correct(volume, corrections)
    with h5py.File(tmp_path / "p.h5", "a") as file:
        file["p"].attrs["offset"] = (20_000, 0, 8)
    with pytest.raises(ValueError, match=r"covers .* the segmentation .* correct its offset"):
        correct(volume, corrections)


def test_corrections_that_were_begun_give_way_to_others(config, volume) -> None:
    fragments, labels, _ = segments(config)
    pair = merged(fragments, labels)
    container = correct(volume, Corrections(cuts=[pair]))
    [done] = (container / "blocks" / "corrected").glob("*.done")
    # as if it had been stopped before its only block
    done.write_bytes(b"")
    correct(volume, Corrections())
    np.testing.assert_array_equal(read(container, "labels")[0], labels)
    assert not read(container, "labels_mask")[0].any()


def test_of_which_segmentation_it_is_is_noted(tmp_path, caplog) -> None:
    config = segmented_run(tmp_path)
    asked = Export(threshold=THRESHOLD, images=("corrected",))

    def volume_of(run):
        return exported_volumes(run, asked, progress=lambda line: None)[0]

    correct(volume_of(config), Corrections())
    assert standing_of_corrected(config, VOLUME) == SAME
    caplog.clear()
    fewer = config.derive(segment={"fragments": {"min_seed_distance": 7}})
    segment(fewer, progress=lambda line: None)
    assert standing_of_corrected(fewer, VOLUME).is_other
    anew = volume_of(fewer)
    [told] = caplog.messages
    assert "corrected of volume 'data_validate' is of another segmentation" in told
    assert told.endswith("run `lsd correct`")
    correct(anew, Corrections())
    assert standing_of_corrected(fewer, VOLUME) == SAME
    fragments = open_array(segmentation(fewer, VOLUME), "fragments", writable=True)
    fragments.write(fragments.read(fragments.roi)[::-1], fragments.roi)
    edited = standing_of_corrected(fewer, VOLUME)
    assert (edited.is_other, edited.is_known) == (False, False), "somebody changed it"


def test_a_config_learns_from_it(config, volume) -> None:
    fragments, labels, _ = segments(config)
    one, other = merged(fragments, labels)
    correct(volume, Corrections(cuts=[(one, other)], trusted=[one]))
    spec = eval(training_volume(volume), {"Volume": Volume})
    opened = open_volume(spec, name="corrected", data_root=run_folder(config).parents[1])
    found, known = opened.read_truth(opened.roi)
    assert known.any()
    assert not known.all()
    own = found == found[fragments == one][0]
    assert known[own].all()
    [folder] = export(
        config, Export(formats=Precomputed(), images=("corrected",), threshold=THRESHOLD)
    )
    assert folder.name == "corrected.precomputed"


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"joins": [[10**15, "first"]]}, r"joins.0.0: there is no fragment 1000000000000000 in "),
        ({"trusted": ["first", 10**15]}, r"trusted.1: there is no fragment 1000000000000000 in "),
        ({"joins": [[0, "first"]]}, "should be greater than 0"),
        ({"nothing": 7}, "nothing is 7, an id of what is painted, and nothing is painted; name"),
        ({"trusted": [0]}, "should be greater than 0"),
        ({"joins": [["first", "first"]]}, "are both in fragment"),
        ({"joins": [["first", [0.0, 0.0, 0.0]]]}, "joins.0.1: there is no fragment at"),
        ({"joins": [["first", [0.0, 0.0]]]}, "a place of this volume has 3 numbers"),
        ({"cuts": [["first", "last"]], "joins": [["first", "last"]]}, "are to be apart, and joins"),
    ],
)
def test_what_cannot_be_is_refused(config, volume, fields, says) -> None:
    fragments, labels, _ = segments(config)
    first, last = merged(fragments, labels)
    ids = {"first": first, "last": last}

    def named(end):
        return ids.get(end, end) if isinstance(end, str) else end

    given = {
        name: listed
        if isinstance(listed, int)
        else [
            [named(end) for end in each] if isinstance(each, list) else named(each)
            for each in listed
        ]
        for name, listed in fields.items()
    }
    with pytest.raises(ValueError, match=says):
        correct(volume, Corrections(**given))


def test_what_is_said_of_raw_is_said_to_train_on_it(config) -> None:
    [spec] = config.dataset.validate
    said = spec.derive(
        raw_range=(10.0, 90.0),
        voxel_size={"raw": (40, 4.5, 4), "labels": (40, 4.5, 4)},
        unknown=7,
        region=":, 2:, :",
        revision="first",
    )
    told = config.derive(dataset={"validate": (said,)})
    [volume] = exported_volumes(told, Export(threshold=THRESHOLD), progress=lambda line: None)
    learnt = eval(training_volume(volume), {"Volume": Volume})
    container = corrected(config, VOLUME)
    assert learnt == said.derive(
        labels=f"{container}:labels",
        labels_mask=f"{container}:labels_mask",
        # truth of before is not what is learnt from
        unknown=None,
        voxel_size={"raw": (40, 4.5, 4)},
        fit="intersect",
        revision=None,
        name=None,
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"synthetic": Synthetic(shape=(32, 32, 32), seed=3)},
        {"synthetic": Synthetic(kind="anisotropic", voxel_size=(40, 4, 4))},
        {"synthetic": Somata(fraction=0.05), "raw": "volumes/raw"},
        {"path": "data.zarr", "sharpen": Sharpen()},
        {"images": Images(images="*/a/*.tif", split=Split(by="folder"))},
    ],
)
def test_what_is_printed_stands_in_a_config(config, fields) -> None:
    """Which imports the names of `lsd.spec`, and no others."""
    said = Volume(**fields)
    told = config.derive(dataset={"validate": (said.derive(name=VOLUME),)})
    running = Running(VOLUME, told.segment.workers, print)
    volume = ExportedVolume(config=told, wanted=(), threshold=THRESHOLD, running=running)
    names = {}
    exec("from lsd.spec import *", names)
    container = corrected(told, VOLUME)
    assert eval(training_volume(volume), names) == said.derive(
        labels=f"{container}:labels", labels_mask=f"{container}:labels_mask", fit="intersect"
    )


def test_as_a_command(config, tmp_path, capsys) -> None:
    fragments, labels, _ = segments(config)
    file = tmp_path / "corrections.json"
    file.write_text(json.dumps({"cuts": [merged(fragments, labels)]}))
    words = [str(run_folder(config)), VOLUME, str(file), "--threshold", str(THRESHOLD)]
    with pytest.raises(SystemExit) as end:
        main(words)
    said = capsys.readouterr()
    assert end.value.code == 0, said.err
    assert "0 joins and 1 cut; 2 segments trusted" in said.out
    assert "to train on it: Volume(path='data.zarr', raw='raw', labels='" in said.out
    [spec] = config.dataset.validate
    two = config.derive(dataset={"validate": (spec, spec.derive(name="other"))})
    (run_folder(config) / "config.json").write_text(two.model_dump_json())
    with pytest.raises(SystemExit) as end:
        main([words[0], "validate", *words[2:]])
    assert end.value.code == 2
    assert "corrections are of one volume, and 'validate' means " in capsys.readouterr().err
    file.write_text(json.dumps({"cut": [[1, 2]]}))
    with pytest.raises(SystemExit) as end:
        main(words)
    assert end.value.code == 2
    assert "cut" in capsys.readouterr().err


def test_every_id_that_is_not_there_is_told_with_its_line(config, tmp_path, capsys) -> None:
    """As where corrections were noted on another segmentation."""
    fragments, labels, _ = segments(config)
    one, other = merged(fragments, labels)
    gone = int(fragments.max()) + 5
    file = tmp_path / "corrections.json"
    pairs = f'"cuts": [[{one}, {other}],\n  [{one}, {gone}]]'
    trusted = f'"trusted": [{one},\n   {gone + 1},\n   [0.0, 0.0, 0.0]]'
    file.write_text(f'{{\n "margin": 2, {pairs},\n "joins": [],\n {trusted}}}\n')
    with pytest.raises(SystemExit) as end:
        main([str(run_folder(config)), VOLUME, str(file), "--threshold", str(THRESHOLD)])
    assert end.value.code == 2
    said = capsys.readouterr().err
    assert f"{file}, line 3: cuts.1.1: there is no fragment {gone} in " in said
    assert f"{file}, line 6: trusted.1: there is no fragment {gone + 1} in " in said
    assert f"{file}, line 7: trusted.2: there is no fragment at (0.0, 0.0, 0.0) nm of " in said
    assert said.count("there is no") == 3


def final_run(tmp_path):
    """Of a decoder without thresholds; its config."""
    config = segmented_run(tmp_path).derive(
        segment={"decoder": Pieces(head="affs")}, imports=("kinds_outside.decoders",)
    )
    segment(config, progress=lambda line: None)
    keep_config(config, sections=("segment",))
    return config


def test_a_decoder_without_thresholds(tmp_path, capsys) -> None:
    config = final_run(tmp_path)
    with pytest.raises(ValueError, match=r"'pieces' has no thresholds; leave .* out, got 0.5"):
        exported_volumes(config, Export(threshold=0.5), progress=lambda line: None)
    file = tmp_path / "corrections.json"
    file.write_text("{}")
    run = str(run_folder(config))
    for command, words in ((main, [run, VOLUME, str(file)]), (export_main, [run, "segments"])):
        with pytest.raises(SystemExit) as end:
            command([*words, "--threshold", "0.5"])
        assert end.value.code == 1
        assert "has no thresholds; leave the threshold" in capsys.readouterr().err
    # ids of its segments are looked for as well
    labels, _ = read(segmentation(config, VOLUME), "segmentation/pieces")
    there, gone = (int(n) for n in (labels.max(), labels.max() + np.uint64(1)))
    [volume] = exported_volumes(config, Export(), progress=lambda line: None)
    with pytest.raises(ValueError, match=f"joins.0.1: there is no segment {gone} in "):
        correct(volume, Corrections(joins=[(there, gone)]))
    least = int(labels[labels > 0].min())
    found, _ = read(correct(volume, Corrections(joins=[(there, least)])), "labels")
    np.testing.assert_array_equal(found, np.where(labels == there, least, labels))
