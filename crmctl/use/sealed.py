"""What people write about a use, and where a copy lies: sealed under a key of the run it belongs to."""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Place, Sealer

REQUEST = Place("use_request", "sealed")
RECORD = Place("use_record", "sealed")
EVALUATION = Place("use_evaluation", "sealed")
COPY = Place("copy_register", "sealed")


def key_of(run: Run, run_id: int) -> DataKey:
    """Return the key of a run's texts, made and committed on first use: before the rows that need it."""
    found = run.keys.fetch("run", (run_id,)).get(run_id)
    if found is None:
        found = run.keys.wrapper.new_keys("run", [run_id])[0]
        run.keys.add(run.keys.wrapper.wrap([found]))
    return found


def seal(run: Run, key: DataKey, place: Place, value: Any, number: int) -> tuple[bytes, bytes]:  # noqa: ANN401
    """Return `value` sealed for row `number` of a place, and the hash of the envelope."""
    envelope = Sealer(run.workspace.instance).seal_json(key, place, value, number)
    return envelope, sha256(envelope).digest()


def opened(run: Run, key: DataKey, place: Place, envelope: bytes, number: int) -> Any:  # noqa: ANN401
    """Return what `seal` sealed."""
    return Sealer(run.workspace.instance).open_json(key, place, envelope, number)
