"""Fixtures: people at their desks, two media apart from each other, a pair of keys made for the test."""

from __future__ import annotations

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).parent))

from desks import _desks, desk
from media import media

__all__ = ["_desks", "desk", "media"]
