"""kill -9 at random moments of an import and of the resumes after it: in the end all is as if nothing had happened."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from commands import crmctl, inside, killed_after

SEED = 20260105


class Round:
    """One import, killed again and again until it is through."""

    def __init__(self, folder: Path, given: commands.Given, chunk: int) -> None:
        self.folder, self.given, self.chunk = folder, given, chunk

    def command(self) -> tuple[object, ...] | None:
        """Return what a person types next; None when all is done."""
        states = oracle.states(self.folder)
        assert len(states) <= 1
        for batch, state in states.items():
            return None if state == "done" else ("batch", "resume", batch, "-o", "json")
        return "customer", "import", self.given.path, "--chunk", self.chunk, "-o", "json"

    def attempt(self, seconds: float) -> bool:
        """Go on, and kill it after `seconds`; say whether that was in time."""
        words = self.command()
        if words is None:
            return False
        return killed_after(seconds, self.folder, *words)

    def settle(self, reference: dict[str, Any]) -> None:
        """Finish what was interrupted and hold it against an import that nobody disturbed."""
        words = self.command()
        if words is not None:
            done = crmctl(self.folder, *words)
            assert done.status == 3, done.err
            assert done.counts == self.given.counts
        found = oracle.contents(self.folder)
        ((batch, _state, _cursor, counts),) = found.pop("batches")
        assert counts == self.given.counts
        again = inside(self.folder, "batch", "resume", batch, "-o", "json")
        assert (again.status, again.failure["code"]) == (1, "BATCH_FINISHED")
        assert oracle.complaints(self.folder) == []
        assert (
            oracle.difference(
                found, {name: values for name, values in reference.items() if name not in ("batches", "seconds")}
            )
            == {}
        )


@pytest.mark.parametrize("processes", [1, 2])
def test_killed_at_random_moments(
    make: Any, kind: str, processes: int, files: Path, references: Any, full: bool
) -> None:
    """Two thousand rows are read and sealed in one process, from three thousand on in two."""
    sizes = {1: (25, 2_500, 50), 2: (50, 50_000, 1_000)} if full else {1: (3, 2_500, 100), 2: (3, 3_200, 100)}
    kills, rows, chunk = sizes[processes]
    given = commands.generated(files, rows)
    reference = references(given)
    whole = reference["seconds"]
    chance = random.Random(SEED + processes)
    hits, rounds = 0, 0
    while hits < kills:
        rounds += 1
        assert rounds < 10 * kills, "too fast to be killed"
        round = Round(make(kind, f"round{rounds}"), given, chunk)
        while hits < kills and round.attempt(chance.uniform(0.05, whole)):
            hits += 1
        round.settle(reference)
