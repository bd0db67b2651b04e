"""Writes golden.json: python tests/training/make_golden.py.  Only when training is meant to change;
say why in the commit."""

import json
import tempfile
from pathlib import Path

from tiny_run import NETWORKS, VARIANTS, golden_losses


def main() -> None:
    golden = {}
    with tempfile.TemporaryDirectory() as folder:
        for variant in VARIANTS:
            for dims in NETWORKS:
                losses, _ = golden_losses(Path(folder), variant, dims)
                golden[f"{variant}_{dims}"] = {
                    stage: [round(loss, 8) for loss in curve] for stage, curve in losses.items()
                }
    text = json.dumps(golden, indent=1)
    Path(__file__).with_name("golden.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
