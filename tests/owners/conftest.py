"""The modules beside the tests, and the company of those of `tiers`, are imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent), str(Path(__file__).parents[1] / "tiers")]

from firms import _firms, firm, founded, kind  # noqa: E402, F401
from officeworld import _desks, desk, office  # noqa: E402, F401
