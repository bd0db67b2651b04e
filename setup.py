"""Packaging: `lsd` is installed, with the program `lsd`; the scripts of the top level and the tests
are used from a checkout.

config/ is copied into the package as it is built, for `lsd new` to write: there is one source of
it.
"""

import re
import shutil
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.build_py import build_py

HERE = Path(__file__).parent
VERSION = re.search(r'__version__ = "(.+)"', (HERE / "lsd" / "__init__.py").read_text()).group(1)


class WithConfig(build_py):
    """Copies config/ beside the commands; an editable installation finds it in the checkout."""

    def run(self) -> None:
        super().run()
        if not self.editable_mode:
            target = Path(self.build_lib) / "lsd" / "cli" / "templates" / "config"
            shutil.rmtree(target, ignore_errors=True)
            shutil.copytree(HERE / "config", target, ignore=shutil.ignore_patterns("__pycache__"))


setup(
    name="lsd-framework",
    cmdclass={"build_py": WithConfig},
    entry_points={"console_scripts": ["lsd=lsd.cli.program:main"]},
    version=VERSION,
    description="Local shape descriptors for neuron segmentation: "
    "train, predict, segment, evaluate from one config",
    long_description=(HERE / "README.md").read_text(),
    long_description_content_type="text/markdown",
    license="MIT",
    python_requires=">=3.11,<3.14",
    packages=find_packages(include=["lsd", "lsd.*"]),
    package_data={"lsd": ["py.typed", "report/page/report.css", "report/page/report.js"]},
    # exact versions that work together: constraints.txt
    install_requires=[
        "torch>=2.10",
        "numpy>=2",
        "scipy",
        "numba",
        "scikit-image",
        "zarr>=2.18,<3",
        "numcodecs",
        "h5py",
        "tifffile",
        "pillow",
        "gunpowder>=1.4.4,<1.5",
        "funlib.geometry",
        # its start of workers is called by what is private in 2.0
        "daisy>=2,<2.1",
        "waterz>=0.10.1",
        "connected-components-3d",
        "fastremap",
        "edt",
        "pydantic>=2.12",
        "tensorboard",
        "matplotlib",
        "tqdm",
    ],
    extras_require={
        "mutex": ["mwatershed"],
        # compressed TIFF (LZW, JPEG, ..) and HDF5 (lz4, Blosc, bitshuffle, ..)
        "formats": ["imagecodecs", "hdf5plugin"],
        # runs in neuroglancer; volumes in its format
        "viewer": ["neuroglancer>=2.41", "tensorstore"],
        # surfaces of segments
        "meshes": ["zmesh", "tensorstore"],
        # skeletons made from labels
        "skeletons": ["kimimaro"],
        # tables of located objects as Parquet
        "tables": ["pyarrow"],
        "test": [
            "pytest",
            "pytest-xdist",
            "hypothesis",
            "ruff",
            "mypy",
            "mwatershed",
            "mahotas",
            "funlib.persistence",
            "tensorstore",
            # later ones want zarr 3
            "ngff-zarr[validate]<0.13",
            "imagecodecs",
            "hdf5plugin",
            "pyarrow",
            "neuroglancer>=2.41",
            "zmesh",
        ],
        "bench": ["mahotas", "psutil"],
    },
)
