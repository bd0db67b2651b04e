"""An error map that was stopped before it was whole."""

from types import SimpleNamespace

import pytest

from lsd.evaluation.error_map.run import _compare
from lsd.evaluation.error_map.suspects import write_suspects
from lsd.spec import paths


def test_suspects_of_another_map_go_before_it_is_made_anew(tmp_path, monkeypatch) -> None:
    """Those of before would stand beside it as its own."""
    table = tmp_path / "v.csv"
    monkeypatch.setattr(paths, "suspects", lambda config, name: table)
    write_suspects([], table)

    def segments():
        raise KeyboardInterrupt

    volume = SimpleNamespace(config=None, name="v", path=tmp_path / "v.zarr", segments=segments)
    with pytest.raises(KeyboardInterrupt):
        _compare(volume, print)
    assert not table.exists()
