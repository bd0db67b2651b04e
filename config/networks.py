"""NETWORKS: trunks and the sizes they are trained with.  `iso` and `aniso` are the paper's; `iso2d`
is the same U-Net in 2D."""

from lsd.spec import Network, ResidualUNet, UNet

FLAT, FULL = ((1, 3, 3), (1, 3, 3)), ((3, 3, 3), (3, 3, 3))

NETWORKS = {
    # fib25, hemi: 196^3 -> 92^3, predicts 268^3 -> 164^3
    "iso": Network(
        trunk=UNet(features_out=14), train_shape=(196, 196, 196), predict_shape=(268, 268, 268)
    ),
    # zebrafinch, cremi: 84x268x268 -> 48x56x56, predicts 96x484x484 -> 60x272x272
    "aniso": Network(
        trunk=UNet(
            features_out=14,
            factors=((1, 3, 3), (1, 3, 3), (3, 3, 3)),
            kernels=FULL,
        ),
        train_shape=(84, 268, 268),
        predict_shape=(96, 484, 484),
    ),
    "iso2d": Network(
        trunk=UNet(features_out=14, factors=((2, 2), (2, 2), (3, 3)), kernels=((3, 3), (3, 3))),
        train_shape=(196, 196),
    ),
    # Lee et al. 2017, for serial sections: z is never pooled, so that 18 sections will do
    "residual": Network(
        trunk=ResidualUNet(factors=((1, 2, 2),) * 4, first_kernel=(1, 5, 5), context=(4, 24, 24)),
        train_shape=(18, 160, 160),
    ),
    # networks that train on a laptop's cores: folded, they do a quarter of the work a voxel and see
    # twice as far
    "small": Network(
        trunk=ResidualUNet(
            widths=(24, 48, 64, 96),
            factors=((2, 2, 2),) * 3,
            fold=(2, 2, 2),
            features_out=16,
            context=(32, 32, 32),
        ),
        train_shape=(80, 80, 80),
    ),
    "small_aniso": Network(
        trunk=ResidualUNet(
            widths=(24, 40, 64, 96),
            factors=((1, 2, 2), (2, 2, 2), (2, 2, 2)),
            first_kernel=(1, 3, 3),
            fold=(1, 2, 2),
            features_out=16,
            context=(4, 32, 32),
        ),
        train_shape=(16, 128, 128),
    ),
    "small2d": Network(
        trunk=ResidualUNet(
            widths=(24, 48, 64, 96),
            factors=((2, 2),) * 3,
            kernel=(3, 3),
            fold=(2, 2),
            features_out=16,
            context=(32, 32),
        ),
        train_shape=(192, 192),
    ),
}
