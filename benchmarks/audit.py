"""Measure the log at a million entries: verified here, exported, and verified by the stand-alone verifier.

    python -m benchmarks.audit                     # 1,000,000 entries, both databases
    python -m benchmarks.audit --entries 50000     # does it run at all

Entries are written straight into the log, as `entries.append` would, a look at one customer each; then it is signed.
"""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import select, update

from benchmarks import measure
from benchmarks.contenders import environment
from benchmarks.machine import script
from benchmarks.report import Budget
from benchmarks.sitting import Sitting, sit
from crmctl.audit import entries
from crmctl.audit.tables import audit_entry, audit_head
from crmctl.audit.tree import Frontier, leaf_hash
from crmctl.store import bulk, engine

MILLION = 1_000_000
ACTOR = {"person": "bench", "uid": 1001, "via": "direct", "roles": ["agent"]}
COLUMNS = ("seq", "leaf", "prev", "body")


def fill(url: str, number: int) -> None:
    """Bring the log to `number` entries, in one transaction."""
    base, day = engine.open_engine(url), datetime.now(UTC) - timedelta(days=1)
    with engine.write(base) as conn:
        head = conn.execute(select(audit_head.c.size, audit_head.c.last_leaf, audit_head.c.frontier)).one()
        frontier, last = Frontier.from_bytes(head.size, head.frontier), head.last_leaf
        newest = conn.execute(select(audit_entry.c.body).where(audit_entry.c.seq == head.size - 1)).scalar_one()
        at = max(json.loads(newest)["ts"], day.strftime("%Y-%m-%dT%H:%M:%SZ"))

        def rows() -> Iterator[tuple[int, bytes, bytes, str]]:
            nonlocal last
            for seq in range(head.size, number):
                body = {"act": "customer.show", "actor": ACTOR, "ts": at, "result": "done", "run": seq, "n": 1}
                text = entries.line({**body, "obj": f"customer:{seq % 99991 + 1}", "policy": "0" * 64}, seq, last)
                prev, last = last, leaf_hash(text)
                frontier.append(last)
                yield seq, last, prev, text.decode()

        bulk.insert_rows(conn, audit_entry, COLUMNS, rows())
        conn.execute(update(audit_head).values(size=frontier.size, last_leaf=last, frontier=frontier.to_bytes()))
    base.dispose()


class Bench:
    """One database with a long log, and what was measured of it."""

    def __init__(self, name: str, url: str, number: int, home: Path) -> None:
        self.name, self.number, self.home = name, number, home
        self.env, found = environment(home), script("crmctl")
        assert found is not None
        self.crmctl, self.workspace = found, home / name
        self.lines: list[list[Any]] = []
        self._done(["init", self.workspace, "--demo", *(["--database", url] if url else [])])
        self.database = self.workspace / "data" / "crmctl.db"
        fill(url or f"sqlite:///{self.database}", number)

    def _done(self, words: list[object]) -> measure.Measured:
        done = measure.run([str(self.crmctl), *map(str, words)], env=self.env)
        if done.exit_code:
            sys.exit(f"FAILED: {words}: exit {done.exit_code}: {done.stderr.decode(errors='replace')[-2000:]}")
        return done

    def timed(self, what: str, *words: object) -> float:
        """Run a command of crmctl and return its seconds, scaled to a million entries."""
        return self._noted(what, self._done(["-w", self.workspace, *words]))

    def timed_other(self, what: str, argv: list[str]) -> float:
        """Run another program, the same."""
        done = measure.run(argv, env=self.env)
        if done.exit_code:
            sys.exit(f"FAILED: {what}: exit {done.exit_code}: {done.stderr.decode(errors='replace')[-2000:]}")
        return self._noted(what, done)

    def _noted(self, what: str, done: measure.Measured) -> float:
        figures = [f"{done.seconds:.2f}", f"{done.cpu_seconds:.1f}", f"{done.largest:.0f}"]
        self.lines.append([f"{self.name}: {what}", *figures])
        return done.seconds * MILLION / self.number


def measured(bench: Bench) -> list[Budget]:
    """Return the verdicts on one database."""
    name, home = bench.name, bench.home
    bench.timed("audit checkpoint", "audit", "checkpoint")
    verify = bench.timed("audit verify", "audit", "verify")
    found = [Budget(f"{name}: audit verify, a million entries", verify, "≤", 6 if name == "sqlite" else 9, 2.5, " s")]
    out, bundle = home / f"{name}.jsonl", home / f"{name}-bundle"
    export = bench.timed("audit export, JSONL", "audit", "export", "--out", out)
    if name == "sqlite" and shutil.which("sqlite3"):
        argv = ["sqlite3", "-json", str(bench.database), "SELECT body FROM audit_entry ORDER BY seq"]
        theirs = bench.timed_other("sqlite3 -json of the bodies", argv)
        found.append(Budget(f"{name}: audit export against sqlite3 -json", export / theirs, "≤", 2, 1.2))
    bench.timed("audit checkpoint, again", "audit", "checkpoint")
    bench.timed("audit export --bundle", "audit", "export", "--bundle", bundle)
    pin = home / f"{name}.note"
    pin.write_text(_newest_note(bundle), "utf-8")
    argv = [sys.executable, "-I", str(bundle / "verify_audit.py"), "--key", str(bundle / "signer.vkey"), "--pin"]
    alone = bench.timed_other("stand-alone verifier", [*argv, str(pin), str(bundle)])
    found.append(Budget(f"{name}: stand-alone verifier, a million entries", alone, "≤", 8, 2.5, " s"))
    return found


def _newest_note(bundle: Path) -> str:
    """Return the newest checkpoint of a bundle: here, where only time counts, it may vouch for itself."""
    notes = (bundle / "checkpoints.txt").read_text("utf-8").split("%%\n")
    return [note for note in notes if note.strip()][-1]


def _measured(name: str, url: str, number: int, home: Path) -> tuple[list[list[Any]], list[Budget], dict[str, Any]]:
    bench = Bench(name, url, number, home)
    verdicts = measured(bench)
    return bench.lines, verdicts, {line[0]: line[1:] for line in bench.lines}


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    headers = ["case", "wall s", "CPU s", "MB"]
    sitting = Sitting("audit", "entries", MILLION, "The log, {:,} entries".format, headers, _measured)
    return sit(sitting, __doc__, argv)


if __name__ == "__main__":
    sys.exit(main())
