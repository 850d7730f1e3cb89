"""Media that backups go to, the private key that opens them, and what tests ask of sets."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyrage
import pytest
from desks import ADMIN, Desk
from sqlalchemy import select

from crmctl import clock, workspace
from crmctl.customers.tables import identity
from crmctl.security.keystore import KeyStore


@dataclass
class Media:
    """Where a desk's backups go: one folder for the data, one for the keys, and the private half of the key."""

    desk: Desk
    data: Path
    keys: Path
    private: Path
    public: str

    def create(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Make a set of the data."""
        return self.desk.json(ADMIN, "backup", "create", "--to", self.data, *words, status=status)

    def create_keys(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Make a set of the keys."""
        return self.desk.json(ADMIN, "backup", "create", "--keys", "--to", self.keys, *words, status=status)

    def sets(self) -> list[Path]:
        """Return whatever lies on the media."""
        return sorted([*self.data.iterdir(), *self.keys.iterdir()])

    def verify(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Verify one set; return what is said of it."""
        found: dict[str, Any] = self.desk.json(ADMIN, "backup", "verify", *words, status=status)["backups"][0]
        return found

    def codes(self, *words: object, status: int = 13) -> list[str]:
        """Return what is wrong with a set."""
        return [problem["code"] for problem in self.verify(*words, status=status)["problems"]]

    def sign(self) -> None:
        """Sign the log."""
        assert self.desk.say(ADMIN, "audit", "checkpoint").exit_code == 0


@pytest.fixture
def media(desk: Desk, tmp_path: Path) -> Media:
    """Two media; crmctl.yaml names the public half of a new pair of keys."""
    data, keys = tmp_path / "shelf" / "data", tmp_path / "vault" / "keys"
    for folder in (data, keys):
        folder.mkdir(parents=True)
    private, public = pair(tmp_path / "age.key")
    configure(desk.folder, f'backup_recipients: ["{public}"]')
    return Media(desk, data, keys, private, public)


def pair(path: Path) -> tuple[Path, str]:
    """Write a new private key as age-keygen does, owner-only; return its file and the public half."""
    made = pyrage.x25519.Identity.generate()
    path.write_text(f"# created: 2026-01-05\n# public key: {made.to_public()}\n{made}\n")
    path.chmod(0o600)
    return path, str(made.to_public())


def configure(folder: Path, line: str) -> None:
    """Add a line to crmctl.yaml, in place of one of the same name."""
    path, name = folder / "crmctl.yaml", line.partition(":")[0]
    kept = [each for each in path.read_text("utf-8").splitlines() if not each.startswith(f"{name}:")]
    path.write_text("\n".join([*kept, line]) + "\n", "utf-8")


def store_of(folder: Path) -> KeyStore:
    """Open the key store of a workspace."""
    place = workspace.find(folder)
    return KeyStore.open(place.keys, place.instance, at=clock.now())


def destroy_keys(folder: Path, numbers: list[int]) -> None:
    """Destroy the keys of customers as a purge does, which leaves a receipt; their rows stay."""
    with store_of(folder) as store:
        assert store.remove("customer", numbers, reference="plan:1") == len(numbers)


def identities(desk: Desk) -> set[tuple[Any, ...]]:
    """Return every identity there is."""
    return {tuple(row.values()) for row in desk.rows(select(identity))}


def flip(path: Path, at: int) -> None:
    """Turn one bit of a file."""
    data = bytearray(path.read_bytes())
    data[at % len(data)] ^= 1 << at % 8
    path.chmod(0o600)
    path.write_bytes(bytes(data))
