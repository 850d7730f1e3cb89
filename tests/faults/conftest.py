"""Fixtures of the fault tests; the modules beside this file are imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

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
