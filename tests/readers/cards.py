"""What the card of an export shows."""

from __future__ import annotations

import re
from pathlib import Path


def shown(folder: Path) -> str:
    """Returns the code that a card shows, for the folder that it is in."""
    card = (folder / "README.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", card, re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1
    return blocks[0].replace("DIR", str(folder))
