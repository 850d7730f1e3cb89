"""Pieces of destroyed envelopes are found in a file wherever they lie (DES-05)."""

from __future__ import annotations

from pathlib import Path

import pytest

from crmctl.retention import verifying

PROBES = [bytes(range(16)), bytes(range(100, 116)), bytes(range(200, 216))]


@pytest.mark.parametrize("at", [0, 1, 49, 50, 57, 63, 64, 65, 112])
def test_a_probe_is_found_across_the_pieces_a_file_is_read_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, at: int
) -> None:
    monkeypatch.setattr(verifying, "_PIECE", 64)
    path = tmp_path / "file"
    path.write_bytes(b"\xff" * at + PROBES[0] + b"\xee" * (128 - at) + PROBES[1])
    assert verifying._contains(path, PROBES) == 2
    path.write_bytes(b"\xff" * at + PROBES[0][:15])
    assert verifying._contains(path, PROBES) == 0
