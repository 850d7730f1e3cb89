"""Measure `crmctl customer import` against other ways to get the same file into a database.

    python -m benchmarks.import_customers            # the budgets: a million rows, three rounds, both databases
    python -m benchmarks.import_customers --quick    # does it run at all: fifty thousand rows, one round

Everything runs on one machine in one sitting, case after case and round after round, so that what the neighbours do
hits all alike; ratios are medians of round against round. crmctl runs as a whole process in a fresh workspace. Its
counts must equal the generator's, or the benchmark fails. Exit code 1: wrong counts; 7: a budget missed with `--gate`.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import sys
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from benchmarks import contenders, report
from benchmarks.contenders import Contender, Input, WrongResult
from benchmarks.generate import Recipe, write
from benchmarks.machine import describe
from benchmarks.measure import Measured, run
from benchmarks.report import Budget, Case, ratio
from benchmarks.server import Server, postgresql

GATE_ROWS = 1_000_000  # budgets are meant for this size; random pages hide their cost at a tenth of it
SMALL_SHARE = 10  # the memory budget compares with a file this many times smaller
DJANGO_ROWS = 20_000
FIRST = "first budget {}, moved with its reason: docs/performance.md"
OURS = "crmctl"
CLEAN = "crmctl, no duplicates"


def _input(scratch: Path, rows: int, a: argparse.Namespace, *, duplicates: float = 0.05) -> Input:
    path = scratch / f"customers-{rows}-{duplicates}.csv"
    made = write(Recipe(rows, a.seed, a.lang, 0.03, duplicates, 0.015, 0.0, 0.0), path, "utf-8")
    counts: Any = made["counts"]
    return Input(path, rows, counts)


def _contenders(scratch: Path, server: Server | None, a: argparse.Namespace) -> list[tuple[Contender, Input]]:
    """Return what takes part, each with its file; crmctl and its yardsticks side by side."""
    full, small = _input(scratch, a.rows, a), _input(scratch, max(a.rows // SMALL_SHARE, 1000), a)
    utils = (contenders.sqlite_utils(full), full)
    found: list[tuple[Contender, Input]] = []
    if a.database != "postgresql":
        found.append((contenders.sqlite_shell(full), full))
        found += _ours(scratch, full, small, None, a)
        found += [(contenders.sqlite_utils(full, "--no-detect-types"), full), utils]
    if server:
        found.append((contenders.copy(full, server), full))
        found += _ours(scratch, full, small, server, a)
        found += [utils] if a.database == "postgresql" else []
    if a.django != "no":
        few = _input(scratch, min(a.rows, DJANGO_ROWS), a)
        found.append((contenders.django(few, Path(a.django or sys.executable)), few))
    return found


def _ours(
    scratch: Path, full: Input, small: Input, server: Server | None, a: argparse.Namespace
) -> list[tuple[Contender, Input]]:
    """Return crmctl with the full file, with a small one for its memory, and with one that can come again unchanged."""
    again = "create" if a.again in ("create", "both") else ""
    found = [(contenders.crmctl(full, server, options=a.option, again=again), full)]
    found.append((contenders.crmctl(small, server, options=a.option), small))
    if a.again in ("upsert", "both"):
        clean = _input(scratch, a.rows, a, duplicates=0.0)
        found.append((contenders.crmctl(clean, server, options=a.option, again="upsert", label=CLEAN), clean))
    return found


def _runnable(found: list[tuple[Contender, Input]], a: argparse.Namespace) -> list[tuple[Contender, Input]]:
    """Leave out what is not installed, with a line for each."""
    kept = []
    for item in found:
        name = item[0].name
        missing = "" if name.startswith("crmctl") else contenders.available(name, Path(a.django) if a.django else None)
        if missing:
            print(f"skipped: {name}: {missing}", file=sys.stderr)
        else:
            kept.append(item)
    return kept


def _measure(
    found: list[tuple[Contender, Input]], scratch: Path, rounds: int
) -> tuple[dict[str, Case], dict[str, Any]]:
    """Run every contender once a round; return the cases, and what their last checks found, both by key.

    A key is database and name, with the size where the file is not the full one.
    """
    largest = max(source.rows for _, source in found)
    cases: dict[str, Case] = {}
    details: dict[str, Any] = {}
    for number in range(1, rounds + 1):
        for contender, source in found:
            place = scratch / f"r{number}_{len(list(scratch.iterdir()))}"
            place.mkdir()
            for job in contender.jobs(place):
                _warm(source.path)
                os.sync()
                done = run(job.argv, cwd=place, env=job.env)
                checked = job.check(done)
                small = f", {source.rows:,} rows" if source.rows < largest else ""
                key = f"{contender.database}: {job.name}{small}"
                details[key] = checked
                cases.setdefault(key, Case(key, source.rows, [])).runs.append(_without_output(done))
                print(f"round {number}: {key}: {done.seconds:.2f} s, {done.largest:.0f} MB", file=sys.stderr)
            shutil.rmtree(place)
    return cases, details


def _warm(path: Path) -> None:
    """Read a file, so that it is in memory for everybody."""
    with path.open("rb") as file:
        while file.read(1 << 20):
            pass


def _without_output(done: Measured) -> Measured:
    return Measured(done.seconds, done.cpu_seconds, done.largest, done.processes, done.exit_code)


def _growth(full: Case, small: Case) -> float:
    """Return how much more memory a process takes for the full file than for the small one: the worst process, MB."""
    before, after = small.peaks(), full.peaks()
    return max([full.peak - small.peak, *(after[role] - before[role] for role in after.keys() & before.keys())])


def budgets(cases: dict[str, Case]) -> list[Budget]:
    """Hold the cases against the budgets of docs/performance.md, as far as they were run."""
    utils, plain = cases.get("sqlite: sqlite-utils insert --csv"), cases.get("sqlite: sqlite3 .import")
    quicker = cases.get("sqlite: sqlite-utils insert --csv --no-detect-types")
    rival = next((case for key, case in cases.items() if "django" in key), None)
    copied = cases.get("postgresql: \\copy")
    found = []
    ours = cases.get(f"sqlite: {OURS}")
    if ours:
        if utils:
            found.append(
                Budget(
                    "SQLite: speed against sqlite-utils insert --csv",
                    ratio(utils, ours),
                    "≥",
                    0.9,
                    2.5,
                    note=FIRST.format("≥ 2.5×"),
                )
            )
        if quicker:
            note = FIRST.format("≥ 1×")
            found.append(
                Budget("SQLite: speed against … --no-detect-types", ratio(quicker, ours), "≥", 0.4, 1, note=note)
            )
        if plain:
            note = FIRST.format("≤ 10×")
            found.append(Budget("SQLite: time against sqlite3 .import", ratio(ours, plain), "≤", 30, 10, note=note))
        if rival:
            note = f"their rate at {rival.rows:,} rows, ours at {ours.rows:,}; {FIRST.format('≥ 20×')}"
            found.append(
                Budget("SQLite: speed against django-import-export", ratio(rival, ours), "≥", 5, 20, note=note)
            )
    theirs = cases.get(f"postgresql: {OURS}")
    if theirs:
        if utils:
            note = FIRST.format("≥ 2×")
            found.append(
                Budget("PostgreSQL: speed against sqlite-utils", ratio(utils, theirs), "≥", 0.75, 2, note=note)
            )
        if copied:
            note = FIRST.format("≤ 16×")
            found.append(Budget("PostgreSQL: time against \\copy", ratio(theirs, copied), "≤", 50, 16, note=note))
    for database, first in (("SQLite", ours), ("PostgreSQL", theirs)):
        if first:
            found += _own_budgets(cases, first, database)
    return found


def _own_budgets(cases: dict[str, Case], first: Case, database: str) -> list[Budget]:
    found = []
    for mode, label in (("create", OURS), ("upsert", CLEAN)):
        once, twice = (cases.get(f"{database.lower()}: {label}{end}") for end in ("", f", again, {mode}"))
        if once and twice:
            what, must = f"{database}: same file again ({mode}), time", 1 if mode == "create" else 1.7
            found.append(
                Budget(what, ratio(twice, once), "≤", must, 0.5, note="" if must == 1 else FIRST.format("≤ 1×"))
            )
    worst = max(first.peak, *first.peaks().values())
    found.append(Budget(f"{database}: memory of the largest process", worst, "≤", 200, 150, " MB"))
    small = next((c for key, c in cases.items() if key == f"{database.lower()}: {OURS}, {c.rows:,} rows"), None)
    if small:
        what = f"{database}: memory growth from {small.rows:,} to {first.rows:,} rows, worst process"
        found.append(Budget(what, _growth(first, small), "≤", 40, 5, " MB", "stretch is “flat”: within 5 MB"))
    return found


@contextlib.contextmanager
def _servers(a: argparse.Namespace) -> Iterator[Server | None]:
    """Yield a PostgreSQL server where one is wanted."""
    if a.database == "sqlite":
        yield None
    else:
        with postgresql(a.server) as server:
            yield server


def _arguments(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rows", type=int, default=GATE_ROWS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--database", choices=("sqlite", "postgresql", "both"), default="both")
    parser.add_argument(
        "--server", help="URL of a PostgreSQL server to use (postgresql://user@host:port); else one is started"
    )
    parser.add_argument("--quick", action="store_true", help="50,000 rows, one round")
    parser.add_argument(
        "--again",
        choices=("create", "upsert", "both", "none"),
        default="both",
        help="import the same file a second time: in mode create; in mode upsert, a file without duplicates",
    )
    parser.add_argument("--option", action="append", default=[], help="an option more for crmctl customer import")
    parser.add_argument(
        "--django", default="", metavar="PYTHON", help="interpreter that has django-import-export; 'no' leaves it out"
    )
    parser.add_argument("--lang", choices=("zh", "en", "mixed"), default="mixed")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--scratch",
        type=Path,
        default=report.OUT / "scratch",
        help="folder for files and databases, on the disk to be measured",
    )
    parser.add_argument("--gate", action="store_true", help="exit 7 when a budget is missed")
    a = parser.parse_args(argv)
    if a.quick:
        a.rows, a.rounds = min(a.rows, 50_000), 1
    return a


def main(argv: list[str] | None = None) -> int:
    """Run the benchmark; print and save its report."""
    a = _arguments(argv)
    started = datetime.now().astimezone()
    shutil.rmtree(a.scratch, ignore_errors=True)
    a.scratch.mkdir(parents=True)
    try:
        with _servers(a) as server:
            extra = {"postgresql": server.version()} if server else {}
            facts = describe(extra)
            found = _runnable(_contenders(a.scratch, server, a), a)
            cases, details = _measure(found, a.scratch, a.rounds)
    except WrongResult as problem:
        print(f"FAILED: {problem}", file=sys.stderr)
        return 1
    finally:
        shutil.rmtree(a.scratch, ignore_errors=True)
    return _finish(a, cases, details, facts, started)


def _finish(
    a: argparse.Namespace, cases: dict[str, Case], details: dict[str, Any], facts: dict[str, str], started: datetime
) -> int:
    verdicts = budgets(cases)
    yardsticks = [cases[key] for key in ("sqlite: sqlite3 .import", "postgresql: \\copy") if key in cases]
    parts = [
        f"# Import of {a.rows:,} customers, {a.rounds} rounds, {started:%Y-%m-%d %H:%M}",
        report.machine_table(facts),
    ]
    parts += [report.case_table(list(cases.values()), yardsticks), report.budget_table(verdicts)]
    if a.rows < GATE_ROWS:
        parts.append(f"Budgets are meant for {GATE_ROWS:,} rows: at this size the verdicts are hints only.")
    text = "\n\n".join(parts) + "\n"
    data = {
        "machine": facts,
        "options": vars(a),
        "cases": {key: report.case_data(case) | details[key] for key, case in cases.items()},
        "budgets": [
            {"what": b.what, "measured": round(b.measured, 3), "must": b.must, "verdict": b.verdict} for b in verdicts
        ],
    }
    path = report.save("import", text, data, started)
    print(text)
    print(f"written: {path} and .md", file=sys.stderr)
    return 7 if a.gate and any(b.verdict == "MISSED" for b in verdicts) else 0


if __name__ == "__main__":
    sys.exit(main())
