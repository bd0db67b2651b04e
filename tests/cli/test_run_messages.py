"""Commands that take the folder of a run name others with the config of that run."""

import json

from lsd.cli.run_folder import messages_of_run
from lsd.system.commands import typed


def test_messages_name_the_config_of_the_run_also_where_it_was_moved(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("LSD_SCRIPTS", "")
    monkeypatch.setattr("sys.argv", ["lsd"])
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "runs" / "mine"
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps({"name": "mine", "runs": "runs"}))
    with messages_of_run("runs/mine", ["segment.scoring=mean"]):
        assert typed("segment") == "`lsd segment -c runs/mine/config.json segment.scoring=mean`"
    folder.rename(tmp_path / "kept")
    with messages_of_run("kept"):
        assert typed("segment") == (
            f"`lsd segment -c kept/config.json name=kept runs={tmp_path.resolve()}`"
        )
    assert typed("segment") == "`lsd segment`"


def test_a_folder_of_no_run_names_no_config(tmp_path) -> None:
    for text in (None, "{", "[]", json.dumps({"name": 3})):
        if text is not None:
            (tmp_path / "config.json").write_text(text)
        with messages_of_run(tmp_path):
            assert "-c" not in typed("segment")
