"""Where an item lies, and what was noted of it: sealed under the key of the run that registered it."""

from __future__ import annotations

from typing import Any, NamedTuple

from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Place
from crmctl.use import sealed

SEALED = Place("paper_item", "sealed")


class Texts(NamedTuple):
    """What is sealed of an item; an empty note is none."""

    place: str
    note: str = ""


def key_of(run: Run, run_id: int) -> DataKey:
    """Return the key of the items that `run_id` registered, made and committed on first use."""
    return sealed.key_of(run, run_id)


def seal(run: Run, key: DataKey, told: Texts, number: int) -> tuple[bytes, bytes]:
    """Return the texts of an item sealed, and the hash of the envelope."""
    return sealed.seal(run, key, SEALED, told._asdict(), number)


def opened(run: Run, run_id: int, envelope: bytes | None, number: int) -> Texts | None:
    """Return the texts of an item; None once it is gone, or was when a restored backup did not know yet."""
    key = None if envelope is None else run.keys.fetch("run", (run_id,)).get(run_id)
    if envelope is None or key is None:
        return None
    found: dict[str, Any] = sealed.opened(run, key, SEALED, envelope, number)
    return Texts(**found)


def forget(run: Run, run_id: int, number: int) -> None:
    """Destroy the key of an item's texts, so that no backup of the database opens them; with a receipt.

    The run that registered an item seals nothing else. Done before the rows are committed: what is killed in between
    leaves an item without a place, of which it can be said again that it is destroyed.
    """
    run.keys.remove("run", (run_id,), reference=f"paper:{number}")
