"""Each unit that is known, in nanometres."""

import pytest

from lsd.volumes.units import NANOMETRES, nanometres

# powers of ten of a metre, in small letters, as they are looked up
POWERS = {
    -12: "pm picometer picometre",
    -10: "angstrom angstroms \N{LATIN SMALL LETTER A WITH RING ABOVE}",
    -9: "nm nanometer nanometers nanometre nanometres",
    -6: "um \N{MICRO SIGN}m \N{GREEK SMALL LETTER MU}m micron microns "
    "micrometer micrometers micrometre micrometres",
    -3: "mm millimeter millimetre",
    0: "m meter metre",
}


@pytest.mark.parametrize("name", [name for name in NANOMETRES if name == name.lower()])
def test_a_unit_is_so_many_nanometres(name) -> None:
    [factor] = [10.0 ** (power + 9) for power, names in POWERS.items() if name in names.split()]
    for written in (name, f" {name} ", name.upper() if name.isascii() else name):
        assert nanometres((1, 2.5, 0.004), written) == pytest.approx(
            (factor, 2.5 * factor, 0.004 * factor), rel=1e-12
        )
