"""Labels and masks as people have them, and what is refused in words."""

import numpy as np
import pytest
import torch

from lsd.losses.labelled import as_ids, labelled

LOGITS = torch.zeros(2, 3, 4, 5)
LABELS = np.random.default_rng(0).integers(0, 100, (2, 4, 5))
TYPES = ("uint8", "int8", "uint16", "int16", "uint32", "int32", "uint64", "int64")


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("axis", [False, True], ids=["(b, y, x)", "(b, 1, y, x)"])
def test_any_whole_numbers_of_numpy_and_torch(dtype, axis) -> None:
    labels = LABELS.astype(dtype)[:, None] if axis else LABELS.astype(dtype)
    for given in (labels, torch.from_numpy(labels)):
        found, known = labelled(LOGITS, given)
        assert (found.dtype, found.shape) == (torch.int64, (2, 1, 4, 5))
        np.testing.assert_array_equal(as_ids(found)[:, 0], LABELS)
        assert (known.dtype, known.shape) == (torch.bool, (2, 1, 4, 5))
        assert known.all()


def test_large_ids_swapped_bytes_and_views_stay_what_they_are() -> None:
    labels = np.full((2, 4, 5), 2**64 - 1, np.uint64)
    for given in (labels, labels.astype(">u8"), np.asfortranarray(labels)[:, ::-1]):
        assert (as_ids(labelled(LOGITS, given)[0]) == labels[:, None]).all()
    assert (as_ids(labelled(LOGITS, torch.from_numpy(labels))[0]) == labels[:, None]).all()


@pytest.mark.parametrize("dtype", ["bool", "uint8", "float32"])
def test_masks(dtype) -> None:
    mask = (LABELS > 50).astype(dtype)
    for given in (mask, torch.from_numpy(mask), mask[:, None]):
        labels = LABELS[:, None] if given.ndim == 4 else LABELS
        assert (labelled(LOGITS, labels, given)[1].numpy()[:, 0] == (LABELS > 50)).all()


def test_a_mask_in_bfloat16_as_autocast_gives_it() -> None:
    mask = torch.from_numpy(LABELS > 50)
    assert (labelled(LOGITS, LABELS, mask.bfloat16())[1][:, 0] == mask).all()


@pytest.mark.parametrize(
    ("logits", "labels", "mask", "says"),
    [
        (np.zeros((2, 3, 4, 5)), LABELS, None, "logits are a tensor of floats, got ndarray"),
        (LOGITS.long(), LABELS, None, r"floats, got torch\.int64"),
        (LOGITS[0], LABELS[0], None, r"shape \(3, 4, 5\); allowed: .*logits\[None\]"),
        (LOGITS, LABELS[0], None, r"labels have shape \(4, 5\), logits \(2, 3, 4, 5\)"),
        (LOGITS, LABELS[:1], None, r"labels must be \(2, 4, 5\) or \(2, 1, 4, 5\)"),
        (
            LOGITS,
            LABELS.astype(float),
            None,
            "labels: ids must be whole numbers, and the dtype is float64",
        ),
        (LOGITS, LABELS - 50, None, "labels: ids are 0"),
        (LOGITS, LABELS, LABELS[:1] > 0, r"mask has shape \(1, 4, 5\), labels \(2, 4, 5\)"),
        (LOGITS[:0], LABELS[:0], None, r"logits have shape \(0, 3, 4, 5\), so there is nothing"),
        (LOGITS[..., :0], LABELS[..., :0], None, r"shape \(2, 3, 4, 0\), so there is nothing"),
        (LOGITS, torch.ones(2, 4, 5, dtype=torch.bfloat16), None, "labels: ids must be whole"),
    ],
)
def test_what_cannot_be_meant_is_refused(logits, labels, mask, says) -> None:
    with pytest.raises(ValueError, match=says):
        labelled(logits, labels, mask)


@pytest.mark.filterwarnings("error")
def test_labels_that_may_not_be_changed() -> None:
    """As of a file that is mapped into memory; torch warns of such."""
    labels = LABELS.astype(np.uint64)
    labels.setflags(write=False)
    assert (as_ids(labelled(LOGITS, labels)[0])[:, 0] == LABELS).all()
