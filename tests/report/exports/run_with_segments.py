"""A run with a volume that was segmented in several blocks, to be exported."""

from segmented_run import make_config

from lsd.prediction.config_file import keep_config
from lsd.segmentation.run import segment

VOLUME = "data_validate"
THRESHOLD = 0.6


def segmented_run(tmp_path):
    """Its config; blocks are of 12 x 10 x 12 voxels, four in all."""
    config = make_config(tmp_path)
    blocks = {"block": (12, 10, 12), "context": (2, 2, 2), "edge_context": (2, 2, 2)}
    config = config.derive(
        segment=config.segment.derive(**blocks),
        predict=config.predict.derive(volumes=("validate",)),
    )
    segment(config, progress=lambda line: None)
    keep_config(config, sections=("segment",))
    return config
