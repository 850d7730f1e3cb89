"""The modules beside the tests are imported by name; `office` is where complaints are handled, `desk` any workspace."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent)]

from casework import _offices, hours, office  # noqa: E402, F401
from desks import _desks, desk  # noqa: E402, F401
