"""The minute counter beside the tests is imported by name."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path += [str(Path(__file__).parent)]
