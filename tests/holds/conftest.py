"""The modules beside the tests are imported by name; `desk` is a workspace with people and three customers."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent)]

from desks import _desks, desk  # noqa: E402, F401
