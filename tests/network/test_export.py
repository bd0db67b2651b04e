"""An exported checkpoint predicts what the trained one does, from half the bytes and without what
only training needs."""

import hashlib
import json

import torch

from config.config import config
from lsd.network.cascade import Cascade
from lsd.network.checkpoints import checkpoint
from lsd.network.checkpoints.restore import from_checkpoint
from lsd.network.export import export, main
from lsd.spec import Network, ResidualUNet

SMALL = Network(
    trunk=ResidualUNet(widths=(4, 8), factors=((2, 2, 2),), context=(2, 2, 2)),
    train_shape=(16, 16, 16),
)


def test_export(tmp_path, capsys) -> None:
    here = {"threads": 1, "device": "cpu"}
    small = config.derive(
        network=SMALL, runs="/home/me/runs", data_root="/home/me", train=here, predict=here
    )
    torch.manual_seed(0)
    trained, averaged = Cascade(small.variant, SMALL.trunk), Cascade(small.variant, SMALL.trunk)
    source, target = tmp_path / "full.pt", tmp_path / "given away.pt"
    optimizer = {"moments": torch.zeros(10_000)}
    checkpoint.save(
        source,
        {
            "config": small.model_dump_json(),
            "stage": "main",
            "iteration": 7,
            "model": dict(trained.state_dict()),
            "ema": dict(averaged.state_dict()),
            "normalisation": {"to": [-1.0, 1.0]},
            "best": {"score": 0.5, "yardstick": {"raw": {"place": "/home/me/raw.zarr"}}},
            "optimizer": optimizer,
        },
    )
    sha256 = export(source, target)

    main([str(source), str(target)])
    of_the_file = hashlib.sha256(target.read_bytes()).hexdigest()
    assert capsys.readouterr().out == f"{of_the_file}  {target}\n"

    given = from_checkpoint(target)
    assert given.sha256 == sha256
    assert given.iteration == 7
    anywhere = {"threads": None, "device": "auto"}
    assert given.config == small.derive(
        runs="runs", data_root=None, train=anywhere, predict=anywhere
    ), "nothing of another machine"
    content = checkpoint.load(target)
    assert "optimizer" not in content
    assert content["best"] == {"score": 0.5}
    assert b"/home/me" not in target.read_bytes()
    weights = sum(value.numel() for value in averaged.state_dict().values())
    assert target.stat().st_size < 2 * weights + 40_000 + len(
        json.dumps(small.model_dump(mode="json"))
    )
    raw = torch.randn(1, 1, 16, 16, 16)
    with torch.no_grad():
        for head, logits in averaged.eval()(raw).items():
            assert given.cascade(raw)[head].dtype == torch.float32
            torch.testing.assert_close(given.cascade(raw)[head], logits, atol=5e-3, rtol=5e-3)
