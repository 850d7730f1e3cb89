"""The module beside the tests is imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from farends import _desks, desk, notice, outbox, robot  # noqa: E402, F401
