"""EMADS, the somas of the full adult fly brain (Liu et al. 2023), 40x16x16 nm.

Not tried on the data themselves.  Files are called as the programs that were published with the
data set open them; the folders above them are those of this file: move what was downloaded there,
below the data root, or change the lines below:

    emads/patches/train/000/data.nii.gz, label.nii.gz   crops of about 128x384x384 around a soma;
                                                        label is above 0 in somas
    emads/patches/validation/000/..                     the same
    emads/coarse/<block>/<block>_raw.nii.gz, <block>_mask.nii.gz
                                                        blocks at 120x64x64 nm; 255: not annotated
    emads/blocks/<block>/<block>_raw.nii.gz, <block>_mask.nii.gz
                                                        blocks of 186x1836x1836, a number each soma

A folder of NIfTI files is a volume, whose arrays are called as the files are, or as these end.  The
network of `coarse` (emads_coarse.py) finds somas at 240x64x64 nm, that of `config` outlines them.
"""

from config.datasets import AUGMENTATIONS, DATASETS  # noqa: F401
from config.variants import one
from lsd.spec import (
    AroundObjects,
    Bce,
    Benchmark,
    Components,
    Config,
    Dataset,
    Evaluate,
    Foreground,
    Head,
    Interior,
    InteriorBoundary,
    Locate,
    Network,
    Objects,
    ResidualUNet,
    Rule,
    Schedule,
    Seeds,
    Segment,
    Train,
    Volume,
)

PATCHES, COARSE, BLOCKS = "emads/patches", "emads/coarse", "emads/blocks"
FINE_NM, COARSE_NM = (40, 16, 16), (120, 64, 64)
# voxels of fine blocks, and of coarse ones, that make a voxel of 240x64x64 nm
FROM_FINE, FROM_COARSE = (6, 4, 4), (2, 1, 1)
# of the published post-processing: a soma has as many voxels at least
SMALLEST = 102_400


def trunk(**fields: object) -> ResidualUNet:
    """As narrow as the published U-Nets."""
    return ResidualUNet.model_validate(
        {
            "widths": (16, 32, 64, 128),
            "first_kernel": (1, 3, 3),
            "features_out": 16,
            **fields,
        }
    )


def patches(part: str) -> Volume:
    """Crops around somas, of which all are annotated."""
    return Volume(
        path=f"{PATCHES}/{part}/*", raw="data", labels="label", voxel_size=FINE_NM, name=part
    )


BLOCK = Volume(path=f"{BLOCKS}/*", raw="raw", labels="mask", voxel_size=FINE_NM, name="block")
COARSE_BLOCK = Volume(
    path=f"{COARSE}/*",
    raw="raw",
    labels="mask",
    unknown=255,
    voxel_size=COARSE_NM,
    scale=FROM_COARSE,
    name="coarse",
)
AUGMENT = AUGMENTATIONS["light_sections"]
SCHEDULE = Schedule(kind="cosine", warmup=500)

coarse = Config(
    name="emads_coarse",
    dataset=Dataset(train=COARSE_BLOCK, test=BLOCK.derive(scale=FROM_FINE), augment=AUGMENT),
    variant=one(foreground=Head(target=Foreground(), loss=Bce(balance=True))),
    network=Network(
        trunk=trunk(factors=((1, 2, 2), (1, 2, 2), (2, 2, 2)), context=(4, 24, 24)),
        train_shape=(24, 256, 256),
    ),
    train=Train(iterations=20_000, batch_size=4, precision="auto", schedule=SCHEDULE),
    segment=Segment(decoder=Components(), objects=Objects(split=2000), thresholds=(0.5,)),
    locate=Locate(min_size=SMALLEST // 96),
)

config = Config(
    name="emads",
    dataset=Dataset(
        train=patches("train"), validate=patches("validation"), test=BLOCK, augment=AUGMENT
    ),
    variant=one(outline=Head(target=InteriorBoundary(width=2), loss=Bce(balance=True))),
    network=Network(
        trunk=trunk(factors=((1, 2, 2), (2, 2, 2), (2, 2, 2)), fold=(1, 2, 2), context=(8, 32, 32)),
        train_shape=(96, 320, 320),
    ),
    train=Train(
        iterations=20_000,
        precision="auto",
        schedule=SCHEDULE,
        sampling=AroundObjects(min_size=SMALLEST // 10),
    ),
    segment=Segment(decoder=Interior(head="outline", reach=2, fill_holes=True)),
    seeds=Seeds(
        locator="runs/emads_coarse",
        window=(128, 384, 384),
        min_size=SMALLEST,
        # of the published stitching
        rule=Rule(always=400_000, least=500, one=0.4, both=0.3),
    ),
    evaluate=Evaluate(of="objects", metric=Benchmark(min_size=SMALLEST)),
)
