"""The modules beside the tests are imported by name; the office that handles complaints keeps paper too."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE.parent / "complaints")]

from casework import _offices, hours, office  # noqa: E402, F401
