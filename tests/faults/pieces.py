"""The program working in small pieces, with a signal sent to itself at one exact call: `pieces.py POINT words…`.

POINT is what strike.py takes. A run of sixty customers then has several chunks, as one of sixty thousand has.
"""

from __future__ import annotations

import functools
import importlib
import sys
from pathlib import Path
from typing import Any

PIECE = 20  # customers in a transaction
ROOMS = ("applying", "assign", "closing", "handing", "planning", "reclaiming")


def shrink() -> None:
    """Let every command about owners write `PIECE` customers at once."""
    from crmctl.owners import applying

    small = functools.partial(applying.chunks, size=PIECE)
    for name in ROOMS:
        room: Any = importlib.import_module(f"crmctl.owners.{name}")
        for attribute, value in (("CHUNK", PIECE), ("chunks", small)):
            if hasattr(room, attribute):
                setattr(room, attribute, value)


if __name__ == "__main__":
    sys.path.append(str(Path(__file__).parent))
    from strike import arm

    shrink()
    arm(sys.argv[1])
    del sys.argv[1]
    from crmctl.cli.app import main

    sys.exit(main())
