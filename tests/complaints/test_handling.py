"""From verification to rectification through the real commands, on both databases (CMP-04 to CMP-10, CMP-20)."""

from __future__ import annotations

from casework import Office


def test_a_life_without_trouble(office: Office) -> None:
    """CMP-13."""
    number = office.open()
    done = office.through(number)
    assert done["status"] == "closed"
    office.sound()
