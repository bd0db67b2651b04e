"""Public data sets by name: addresses, licences and what to cite.

Addresses are those that their authors, or tools that use them, have published.  None was tried by
who wrote this list, from a machine without a network: `is_tried` says so, and the listing does.
"""

from __future__ import annotations

from dataclasses import dataclass

_MITOLAB = "https://ftp.ebi.ac.uk/empiar/world_availability/11037/data/cem_mitolab.zip"
_CREMI = "https://cremi.org/static/data/sample_{}_20160501.hdf"
_BUCKET = "https://open-neurodata.s3.amazonaws.com"
_CHALLENGE = "CREMI, MICCAI Challenge on Circuit Reconstruction from Electron Microscopy Images"
_LSD = "Sheridan et al. 2022, Nature Methods"


@dataclass(frozen=True)
class PublicFile:
    """A file of a data set.

    path:     where it lies, below the data root
    checksum: "sha256:..." or "md5:...", as it is published or known from others; None: none is
    unzips:   it is an archive of the folder of this name, below the data root, and goes once that
              is there; None: it is kept as it is
    """

    url: str
    path: str
    checksum: str | None = None
    unzips: str | None = None

    @property
    def place(self) -> str:
        """What is there in the end, below the data root."""
        return self.unzips or self.path


@dataclass(frozen=True)
class Bucket:
    """All objects of a public bucket below a prefix; folder: where they come, below the data
    root."""

    address: str
    prefix: str
    folder: str

    @property
    def place(self) -> str:
        """The folder."""
        return self.folder


@dataclass(frozen=True)
class PublicData:
    """A data set.

    title, size, licence, citation, page: for people; page: where it is described
    by_hand: of one that is given out to people alone, what to do: a sentence without its begin
    """

    title: str
    size: str
    licence: str
    citation: str
    page: str
    files: tuple[PublicFile, ...] = ()
    buckets: tuple[Bucket, ...] = ()
    by_hand: str = ""
    is_tried: bool = False


def _cremi(*names: str, checksums: tuple[str | None, ...]) -> tuple[PublicFile, ...]:
    return tuple(
        PublicFile(_CREMI.format(name), f"cremi/sample_{name}_20160501.hdf", checksum)
        for name, checksum in zip(names, checksums, strict=True)
    )


def _lsd(title: str, name: str, citation: str) -> PublicData:
    return PublicData(
        title=f"{title}: training volumes of the descriptors' paper",
        size="not stated",
        licence="not stated beside the data; ask the authors",
        citation=f"{_LSD}; {citation}",
        page="https://github.com/funkelab/lsd",
        buckets=(Bucket(_BUCKET, f"funke/{name}/training/", f"{name}/training"),),
    )


PUBLIC_DATA: dict[str, PublicData] = {
    "mitolab": PublicData(
        title="CEM-MitoLab: 21,860 images of mitochondria from many sources",
        size="not stated",
        licence="see the entry",
        citation="Conrad and Narayan 2023, Cell Systems; EMPIAR-11037",
        page="https://www.ebi.ac.uk/empiar/EMPIAR-11037/",
        files=(PublicFile(_MITOLAB, "cem_mitolab.zip", unzips="cem_mitolab"),),
    ),
    "cremi": PublicData(
        title="CREMI samples A, B, C: serial sections of fly brain, 40x4x4 nm",
        size="about 165 MB each",
        licence="see the page",
        citation=_CHALLENGE,
        page="https://cremi.org/data/",
        files=_cremi(
            "A",
            "B",
            "C",
            # as users of the files have noted them
            checksums=(
                "sha256:4c563d1b78acb2bcfb3ea958b6fe1533422f7f4a19f3e05b600bfa11430b510d",
                "sha256:887e85521e00deead18c94a21ad71f278d88a5214c7edeed943130a1f4bb48b8",
                "sha256:2874496f224d222ebc29d0e4753e8c458093e1d37bc53acd1b69b19ed1ae7052",
            ),
        ),
    ),
    "cremi_padded": PublicData(
        title="CREMI samples A, B, C with raw around what is labelled",
        size="about 1.5 GB each",
        licence="see the page",
        citation=_CHALLENGE,
        page="https://cremi.org/data/",
        files=_cremi("A_padded", "B_padded", "C_padded", checksums=(None, None, None)),
    ),
    "snemi3d": PublicData(
        title="SNEMI3D: serial sections of mouse cortex, 30x6x6 nm, as TIFF",
        size="186 MiB",
        licence="CC BY 4.0",
        citation="Kasthuri et al. 2015, Cell",
        page="https://zenodo.org/records/7142003",
        files=(
            PublicFile(
                "https://zenodo.org/records/7142003/files/snemi.zip",
                "snemi3d.zip",
                "md5:3d25a7025f66698f33c7850ace885939",
                unzips="snemi3d",
            ),
        ),
    ),
    "emads": PublicData(
        title="EMADS: cell bodies of the full adult fly brain, 40x16x16 nm",
        size="not stated",
        licence="not stated beside the data; ask the authors",
        citation="Liu et al. 2023, CVPR",
        page="https://github.com/liuxy1103/EMADS",
        by_hand=(
            "open https://drive.google.com/drive/folders/1WLVaU3sGd8RQfwsBIBomZyNwl4m2D8pc in a "
            "browser, click on the name of the folder and on Download, unzip what comes, and put "
            "it below emads/ of the data root, in the folders that config/examples/emads.py names"
        ),
    ),
    "fib25": _lsd("FIB-25, fly medulla", "fib25", "Takemura et al. 2015, PNAS"),
    "hemi": _lsd("Hemibrain, fly", "hemi", "Scheffer et al. 2020, eLife"),
    "zebrafinch": _lsd("Zebra finch", "zebrafinch", "Januszewski et al. 2018, Nature Methods"),
}
