"""The modules beside the tests are imported by name; the office that handles complaints has customers to destroy."""

from __future__ import annotations

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path += [str(HERE), str(HERE.parent / "complaints")]

from casework import _offices, hours, office  # noqa: E402, F401
from desks import _desks, desk  # noqa: E402, F401
from doomed import _dooms, doom_of, doomed  # noqa: E402, F401
