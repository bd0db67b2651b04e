import pytest
from pydantic import ValidationError

from lsd.spec import Segment
from lsd.spec.mistakes import lines
from lsd.spec.plurals import counted


@pytest.mark.parametrize(
    ("count", "noun", "words"),
    [
        (0, "block", "0 blocks"),
        (1, "block", "1 block"),
        (2, "process", "2 processes"),
        (1, "axis", "1 axis"),
        (3, "axis", "3 axes"),
        (2, "batch", "2 batches"),
    ],
)
def test_one_is_singular(count, noun, words) -> None:
    assert counted(count, noun) == words


def test_a_number_of_workers_is_named_by_its_field() -> None:
    with pytest.raises(ValidationError) as error:
        Segment(workers=2)
    assert "segment.workers.count=2" in lines(error.value)[0]
    assert Segment(workers={"count": 2}).workers.count == 2
