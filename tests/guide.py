"""The Python of the documents, run as it is written."""

import importlib
import re
from pathlib import Path
from typing import Any

from lsd.spec import Variant

DOCS = Path(__file__).parents[1] / "docs"


def blocks_of(name: str) -> list[str]:
    """The Python of docs/<name>.md, a block each."""
    text = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    return re.findall(r"^```python\n(.*?)^```$", text, re.DOTALL | re.MULTILINE)


BLOCKS = blocks_of("guide")


def run(block: str) -> dict[str, Any]:
    """The names after a block; one that begins with "# in config/x.py" is run as if it stood at the
    end of that file."""
    place = re.match(r"# in (config)/(\w+)\.py", block)
    names = vars(importlib.import_module(".".join(place.groups()))) if place else {}
    names = {
        name: dict(value) if isinstance(value, dict) else value for name, value in names.items()
    }
    exec(block, names)
    return names


def variants() -> dict[str, Variant]:
    """Those that the guide adds to VARIANTS, in its order."""
    there = importlib.import_module("config.variants").VARIANTS
    found = [
        run(block)["VARIANTS"] for block in BLOCKS if re.search(r"^VARIANTS\[", block, re.MULTILINE)
    ]
    return {
        name: variant for names in found for name, variant in names.items() if name not in there
    }
