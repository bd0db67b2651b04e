"""The run that these tests evaluate."""

import pytest
from segmented_volumes import segmented


@pytest.fixture
def config(tmp_path):
    return segmented(tmp_path)
