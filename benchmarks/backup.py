"""Measure backups: make a set of the data and of the keys, read it, look inside, try it, restore it.

    python -m benchmarks.backup                        # 1,000,000 customers, both databases
    python -m benchmarks.backup --customers 100000     # what docs/performance.md shows

All is done by the commands, each a process of its own, with a pair of keys made for it. Destroyed are the keys of one
customer in a hundred after the set was made, as a purge does it: the restore removes those customers again.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.contenders import environment
from benchmarks.generate import main as generate
from benchmarks.machine import script
from benchmarks.measure import Measured
from benchmarks.regrade import _run
from benchmarks.report import Budget
from benchmarks.server import postgresql
from benchmarks.sitting import Sitting, sit

GONE_OF = 100  # one customer in so many is destroyed
MUST_DRILL = 600.0  # seconds for a million customers (security.md 2(h))


def measured(name: str, url: str, number: int, home: Path) -> tuple[list[list[Any]], list[Budget], dict[str, Any]]:
    """Return table lines, verdicts and raw figures of one database."""
    crmctl, env = script("crmctl"), environment(home)
    assert crmctl is not None
    place, people = home / name, home / "customers.csv"
    if not people.exists():
        generate(["--rows", str(number), "--out", str(people)])
    _run(["init", place, "--demo", *(["--database", url] if url else [])], env, crmctl)
    private = configured(place)
    _import(place, people, env, crmctl)
    _run(["-w", place, "audit", "checkpoint"], env, crmctl)
    words: list[object] = ["-w", place, "backup"]
    server: list[object] = ["--database", url] if url else []
    opened = ["--identity", private, "-o", "json"]
    shelf = place.parent / f"{name}-media"
    runs = {"create": _run([*words, "create", "--to", shelf / "data", "-o", "json"], env, crmctl)}
    made = json.loads(runs["create"].stdout)
    runs["create --keys"] = _run(
        [*words, "create", "--keys", "--to", shelf / "vault" / "keys", "-o", "json"], env, crmctl
    )
    runs["verify"] = _run([*words, "verify", "1", "-o", "json"], env, crmctl)
    runs["verify --identity"] = _run([*words, "verify", "1", *opened], env, crmctl)
    runs["drill"] = _run([*words, "drill", "1", *opened, *server], env, crmctl)
    _destroy(place)
    with postgresql() as fresh:
        target: list[object] = ["--database", fresh.create("restored")] if url else []
        line = [*words, "restore", "1", "--into", home / f"{name}-back", *opened, *target]
        runs["restore"] = _run(line, env, crmctl)
    _checked(name, runs)
    lines = [_line(name, what, done, made["bytes"]) for what, done in runs.items()]
    drill = Budget(f"{name}: drill, 1 million", runs["drill"].seconds * 1_000_000 / number, "≤", MUST_DRILL, 300, " s")
    return lines, [drill], {what: done.seconds for what, done in runs.items()} | {"bytes": made["bytes"]}


def _line(name: str, what: str, done: Measured, size: int) -> list[Any]:
    return [f"{name}: {what}", f"{done.seconds:.1f}", f"{done.cpu_seconds:.1f}", f"{done.largest:.0f}", size // 10**6]


def configured(place: Path) -> Path:
    """Make a pair of keys and let crmctl.yaml name its public half; return the file of the private one."""
    import pyrage

    made = pyrage.x25519.Identity.generate()
    private = place.parent / f"{place.name}.age"
    private.write_text(f"{made}\n")
    private.chmod(0o600)
    with (place / "crmctl.yaml").open("a") as stream:
        stream.write(f'backup_recipients: ["{made.to_public()}"]\n')
    for folder in ("data", "vault/keys"):
        (place.parent / f"{place.name}-media" / folder).mkdir(parents=True)
    return private


def _import(place: Path, people: Path, env: dict[str, str], crmctl: Path) -> None:
    from benchmarks import measure

    done = measure.run([str(crmctl), "-w", str(place), "customer", "import", str(people)], env=env)
    if done.exit_code not in (0, 3):
        sys.exit(f"FAILED: exit {done.exit_code}: {done.stderr.decode(errors='replace')[-2000:]}")


def _destroy(place: Path) -> None:
    from crmctl import clock, workspace
    from crmctl.security.keystore import KeyStore

    found = workspace.find(place)
    with KeyStore.open(found.keys, found.instance, at=clock.now()) as store:
        store.remove("customer", list(store.owner_ids("customer"))[::GONE_OF], reference="plan:1")


def _checked(name: str, runs: dict[str, Measured]) -> None:
    """Exit with what is wrong where a command did not do its work."""
    tried, back = (json.loads(runs[what].stdout) for what in ("drill", "restore"))
    wanted = -(-tried["living"] // GONE_OF)
    if tried["decrypted"] != min(200, tried["living"]) or tried["problems"] or back["customers_removed"] != wanted:
        sys.exit(f"FAILED: {name}: {tried['decrypted']} opened, {back['customers_removed']} of {wanted} removed")


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    headers = ["case", "wall s", "CPU s", "MB", "set MB"]
    sitting = Sitting("backup", "customers", 1_000_000, _title, headers, measured)
    return sit(sitting, __doc__, argv)


def _title(customers: int) -> str:
    return f"Backups, {customers:,} customers"


if __name__ == "__main__":
    sys.exit(main())
