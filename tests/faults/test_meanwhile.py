"""People look while an import runs: they get their answer, masked, and the import does not mind."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import commands
import oracle
from commands import crmctl, ended, inside, started, until

MASKED = re.compile(r"\*")
PLAIN = re.compile(r"\d{11}|[\w.]+@[\w.]+\.\w+")


def known(folder: Path) -> tuple[str, str]:
    """Return the mobile and the name of the first individual."""
    for clear, sealed in oracle.contents(folder)["customers"]:
        if clear["type"] == "individual" and sealed.get("mobile", "").startswith("+86"):
            return sealed["mobile"], sealed["name"]
    raise AssertionError("nobody with a mobile")


def progress(folder: Path) -> int:
    """Return how many chunks of the second batch are committed."""
    with oracle.opened(folder) as run:
        return oracle.chunks(run)[1]


def test_list_find_and_count_answer_while_an_import_runs(make: Any, kind: str, files: Path, small: Any) -> None:
    folder = make(kind)
    assert crmctl(folder, "customer", "import", small.path).status == 3
    mobile, name = known(folder)
    given = commands.generated(files, 4_000, 8)
    limit = ("--lock-timeout", 10)

    with started(folder, "customer", "import", given.path, "--chunk", 2, "-o", "json") as process:
        assert until(lambda: len(oracle.states(folder)) == 2)
        found = [
            crmctl(folder, "customer", "find", "--mobile", "-", "-o", "json", *limit, stdin=mobile.encode()),
            crmctl(folder, "customer", "list", "--limit", 20, "-o", "json", *limit),
            crmctl(folder, "customer", "list", "--count", "-o", "json", *limit),
        ]
        assert process.poll() is None, "over before anybody looked"
        committed = progress(folder)
        assert until(lambda: progress(folder) > committed), "it does not go on"
        process.terminate()
        done = ended(process)

    assert [answer.status for answer in found] == [0, 0, 0], [answer.err for answer in found]
    for answer in found[:2]:
        customers = answer.document["customers"]
        assert customers
        shown = str([[item.get(key) for key in ("name", "mobile", "email")] for item in customers])
        assert MASKED.search(shown)
        assert not PLAIN.search(shown.replace(" ", ""))
        assert name not in shown
    assert found[2].document["count"] >= small.counts["created"]
    assert done.status == 143, done.err
    assert inside(folder, "audit", "verify", "--changes", "--rows").status == 14
