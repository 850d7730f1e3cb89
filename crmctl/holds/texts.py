"""Why a hold was set, added to and lifted, and by what authority: sealed under the key of the run that set it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from crmctl import clock
from crmctl.holds.model import Hold
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Place
from crmctl.use import sealed

SEALED = Place("legal_hold", "sealed")
ADDED, LIFTED = "added", "lifted"  # what a note is about


def first(reason: str, authority: str) -> dict[str, Any]:
    """Return the texts of a new hold."""
    return {"reason": reason, "authority": authority, "notes": []}


def noted(texts: Mapping[str, Any], run: Run, what: str, text: str) -> dict[str, Any]:
    """Return texts with one note more: what was done, by whom, when, in which run, and why."""
    note = {"what": what, "person": run.actor.person, "at": clock.stamp(run.at), "run": run.run_id, "text": text}
    return {**texts, "notes": [*texts["notes"], note]}


def key_of(run: Run, run_id: int) -> DataKey:
    """Return the key of the texts of a hold that `run_id` set, made and committed on first use."""
    return sealed.key_of(run, run_id)


def seal(run: Run, key: DataKey, texts: Mapping[str, Any], hold: int) -> tuple[bytes, bytes]:
    """Return the texts of a hold sealed, and the hash of the envelope."""
    return sealed.seal(run, key, SEALED, dict(texts), hold)


def opened(run: Run, key: DataKey, envelope: bytes, hold: int) -> dict[str, Any]:
    """Return what `seal` sealed."""
    found: dict[str, Any] = sealed.opened(run, key, SEALED, envelope, hold)
    return found


def of(run: Run, hold: Hold) -> dict[str, Any]:
    """Return the texts of a hold."""
    return opened(run, key_of(run, hold.run_id), hold.sealed, hold.hold_id)
