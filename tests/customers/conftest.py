"""The shipped customer policy, reading a file with it as an import does; desks with customers, an office beside."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parents[1] / "complaints"))

from casework import _offices, hours, office  # noqa: E402
from desks import _desks, desk  # noqa: E402
from readings import data, read, settings  # noqa: E402

__all__ = ["_desks", "_offices", "data", "desk", "hours", "office", "read", "settings"]
