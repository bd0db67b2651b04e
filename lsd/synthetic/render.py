"""Grey values (0..255) of a piece of neuropil, before the microscope adds its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from lsd.synthetic.capsules import Floats
from lsd.synthetic.noise import Noise
from lsd.synthetic.scene import Scene


@dataclass(frozen=True)
class Look:
    """Grey values, and amplitudes of texture; widths in nm.

    membrane, mitochondrion, outline: darkest values;  cytoplasm: mean and spread over neurites
    width:   half width of a membrane at half its darkness;  cleft: distance of its leaflets from
             the middle, 0: one line
    grain, cloud: fine and coarse texture of the cytoplasm
    cristae: how much stripes of mitochondria differ;  rim: share of `outline` in a mitochondrion's
             membrane
    strength: how dark membranes are, as a share of what they are where they are clear
    """

    membrane: float
    mitochondrion: float
    outline: float
    cytoplasm: tuple[float, float]
    width: float
    cleft: float
    grain: float
    cloud: float
    cristae: float
    rim: float
    strength: float = 1.0


class Cytoplasm(NamedTuple):
    """Of each voxel, by the neurite it is in: mean grey value, and how strong its texture is."""

    tone: Floats
    rough: Floats


def grey_values(scene: Scene, look: Look, cytoplasm: Cytoplasm, noise: Noise) -> Floats:
    """Grey values (z, y, x)."""
    value = _textured(scene, look, cytoplasm, noise)
    value = blend(value, look.outline, _outlines(scene, noise))
    value = _mitochondria(value, scene, look, noise)
    return _membranes(value, scene, look, noise)


def drawn_cytoplasm(owner: NDArray[np.int32], look: Look, rng: np.random.Generator) -> Cytoplasm:
    """The cytoplasm of neurites that are all known: owner, of each voxel."""
    count = int(owner.max(initial=0)) + 1
    normal = rng.standard_normal(count)
    tone = tones(normal, rng.random(count), look)
    rough = rng.uniform(0.5, 1.5, count)
    return Cytoplasm(tone.astype(np.float32)[owner], rough.astype(np.float32)[owner])


def tones(normal: NDArray[Any], uniform: NDArray[Any], look: Look) -> NDArray[Any]:
    """Mean grey values of neurites, from a normal and a uniform number of each."""
    mean, spread = look.cytoplasm
    tone = mean + spread * np.clip(normal, -2, 1.5)
    tone[uniform < 0.12] -= 1.5 * spread  # a few neurites are dark all through
    return np.asarray(np.maximum(tone, 0.4 * look.membrane + 0.6 * mean))


def _textured(scene: Scene, look: Look, cytoplasm: Cytoplasm, noise: Noise) -> Floats:
    texture = look.grain * scene.noise(18, noise) + look.cloud * scene.noise(75, noise)
    specks = np.clip(scene.noise(32, noise) - 0.9, 0, None)
    texture -= 2.2 * look.grain * specks
    return (cytoplasm.tone + cytoplasm.rough * texture).astype(np.float32)


def _outlines(scene: Scene, noise: Noise) -> Floats:
    strength = np.clip(0.55 + 0.2 * scene.noise(60, noise), 0.1, 0.9)
    return np.asarray(strength * line(scene.outline, 6.5), np.float32)


def _mitochondria(value: Floats, scene: Scene, look: Look, noise: Noise) -> Floats:
    """A dark body with paler stripes (cristae), inside a dark and a thin pale rim."""
    depth = -scene.mitochondrion
    phase = scene.stripe / 42 + 0.5 * scene.noise(60, noise)
    stripes = np.abs((phase % 1.0) * 2 - 1) - 0.5
    body = look.mitochondrion + look.cristae * stripes + 0.7 * look.grain * scene.noise(18, noise)
    inside = np.clip(0.5 + depth / 10, 0, 1)
    value = np.asarray(value + (body - value) * inside, np.float32)
    return blend(value, look.outline, look.rim * line(depth - 4, 6))


def _membranes(value: Floats, scene: Scene, look: Look, noise: Noise) -> Floats:
    """Two leaflets and the cleft between them; dense and thick where there is a synapse; here and
    there faint."""
    strength = np.clip(0.92 + 0.17 * scene.noise(80, noise), 0.5, 1.0)
    if look.strength != 1:
        strength = np.float32(look.strength) * strength
    width = look.width * (1 + 0.12 * scene.noise(130, noise))
    dark = strength * line(np.abs(scene.wall - look.cleft), width)
    thick = np.where(scene.postsynaptic, np.float32(1.9), np.float32(1.2))
    dense = scene.synapse * np.clip(thick - scene.wall / 20, 0, 1)
    value = blend(value, look.membrane, np.maximum(dark, dense))
    return value - 12 * dense


def line(distance: Floats, width: float | Floats) -> Floats:
    """1 on the line, half at `width` from it, and a long tail: an edge seen through a slice of
    finite thickness."""
    ratio = distance / width
    return (1 / (1 + ratio * ratio)).astype(np.float32)


def blend(value: Floats, target: float, share: Floats) -> Floats:
    """`value`, and where `share` is 1, `target`."""
    return value + (np.float32(target) - value) * share
