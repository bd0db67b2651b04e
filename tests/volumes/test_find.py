"""Paths with wildcards in a config."""

import numpy as np
import pytest
from funlib.geometry import Roi

from lsd.spec import Config, Dataset, Predict, Volume
from lsd.volumes.create import create_array
from lsd.volumes.find import check_volumes, expand


def config(folder, **parts):
    from config.networks import NETWORKS
    from config.variants import VARIANTS

    dataset = Dataset(
        **{part: tuple(Volume(**volume) for volume in volumes) for part, volumes in parts.items()}
    )
    network = next(iter(NETWORKS.values()))
    return Config(
        name="x", dataset=dataset, variant=VARIANTS["aff"], network=network, data_root=str(folder)
    )


@pytest.fixture
def folder(tmp_path):
    roi = Roi((0, 0, 0), (2, 2, 2))
    for name in ("hemi/b.zarr", "hemi/a.zarr", "more/a.zarr", "odd [1].zarr"):
        array = create_array(
            tmp_path / name, "volumes/raw", roi=roi, voxel_size=(8, 8, 8), dtype="u1"
        )
        array.write(np.zeros((2, 2, 2), np.uint8), roi)
    return tmp_path


def test_one_volume_a_match(folder) -> None:
    found = expand(
        config(
            folder,
            train=[{"path": "hemi/*.zarr", "labels": "ids", "weight": 2}],
            test=[{"path": "more/a.zarr"}],
        )
    )
    assert [volume.path for volume in found.dataset.train] == ["hemi/a.zarr", "hemi/b.zarr"]
    assert all(volume.weight == 2 and volume.labels == "ids" for volume in found.dataset.train)
    assert list(found.dataset.volumes()) == ["a_train", "b_train", "a_test"]
    assert expand(found) == found
    assert Config.model_validate_json(found.model_dump_json()) == found


def test_absolute_pattern(folder) -> None:
    found = expand(config("/nowhere", train=[{"path": f"{folder}/hemi/*.zarr"}]))
    assert [volume.path for volume in found.dataset.train] == [
        str(folder / "hemi" / name) for name in ("a.zarr", "b.zarr")
    ]


def test_names_stay_different(folder) -> None:
    found = expand(config(folder, train=[{"path": "*/*.zarr"}]))
    assert list(found.dataset.volumes()) == ["hemi_a", "hemi_b", "more_a"]
    found = expand(
        config(
            folder,
            train=[{"path": "hemi/*.zarr", "name": "cube"}],
            test=[{"path": "more/*", "name": "t"}],
        )
    )
    assert list(found.dataset.volumes()) == ["cube_a", "cube_b", "t"]


def test_a_path_that_exists_is_no_pattern(folder) -> None:
    given = config(folder, train=[{"path": "odd [1].zarr"}])
    assert expand(given) == given


def test_what_nothing_matches_is_refused_by_who_opens_it(folder) -> None:
    made = config(folder, train=[{"path": "hemy/*.zarr"}], test=[{"path": "hemi/*.zarr"}])
    assert list(expand(made).dataset.volumes()) == ["*_train", "a_test", "b_test"]
    with pytest.raises(
        ValueError,
        match=r"'\*_train': no file matches '.*hemy/\*.zarr'; .*set data_root or \$LSD_DATA",
    ):
        check_volumes(made, ("train", "test"))


def test_volumes_of_a_pattern_are_named_as_they_are_found(folder) -> None:
    made = config(
        folder,
        train=[{"path": "hemi/*.zarr"}, {"path": "more/*.zarr"}],
        test=[{"path": "hemi/*.zarr"}],
    )
    with pytest.raises(
        ValueError, match=r"^dataset: several volumes are called a_train; give each a name="
    ):
        expand(made)
    made = config(folder, train=[{"path": "hemy/*.zarr"}], test=[{"path": "hemi/*.zarr"}])
    for name, found in (("a_test", ["a_test"]), ("test", ["a_test", "b_test"])):
        asked = made.derive(predict=Predict(volumes=name))
        assert list(expand(asked).dataset.named(asked.predict.volumes)) == found
    for name in ("*_test", "c_test"):
        asked = made.derive(predict=Predict(volumes=name))
        with pytest.raises(
            ValueError,
            match=r"^there is no volume '.*_test'; allowed: .*, \*_train, a_test, b_test$",
        ):
            check_volumes(asked, asked.predict.volumes)
        alone = asked.derive(dataset=asked.dataset.derive(train=()))
        with pytest.raises(
            ValueError,
            match=r"^predict.volumes: there is no volume '.*_test'; allowed: .*, a_test, b_test$",
        ):
            expand(alone)


def test_wildcards_above_the_data_root_are_none(tmp_path) -> None:
    (tmp_path / "[lab]").mkdir()
    with pytest.raises(ValueError, match=r"there is no .*none\.zarr"):
        check_volumes(config(tmp_path / "[lab]", test=[{"path": "none.zarr"}]), ("test",))


def test_volumes_are_checked_as_far_as_they_are_named(folder) -> None:
    made = config(
        folder, train=[{"path": "hemi/a.zarr", "region": "0:9"}], test=[{"path": "hemi/*.zarr"}]
    )
    check_volumes(made, ("test",))
    check_volumes(made, ("b_test",))
    with pytest.raises(ValueError, match=r"'a_train': region 0:9.*0:2"):
        check_volumes(made, ("test", "train"))
