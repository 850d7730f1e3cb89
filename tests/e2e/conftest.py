"""Fixtures of the end-to-end tests: the same workspaces and commands as in the fault tests beside this folder."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "faults"))

from grounds import (  # noqa: E402, F401
    _postgres_on_demand,
    files,
    folder,
    installation,
    kind,
    large,
    make,
    references,
    small,
)
