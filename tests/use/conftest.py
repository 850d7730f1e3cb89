"""Fixtures: people at their desks, with customers."""

from __future__ import annotations

from desks import _desks, desk

__all__ = ["_desks", "desk"]
