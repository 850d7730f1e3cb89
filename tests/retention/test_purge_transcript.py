"""What a steward, an approver and an auditor see of a purge, word for word, in both languages."""

from __future__ import annotations

import re

import golden
import pytest
from casework import Hours, Office
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR

# What differs from run to run: moments, hashes, the receipt of a person.
VARYING = {
    r"\b[0-9a-f]{64}\b": "HASH",
    r"\b[0-9a-f]{16}\b": "SHORT",
    r"(?:[A-Z2-7]{5}-){9}[A-Z2-7]{2}": "RECEIPT",
    r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+\d\d:\d\d": "MOMENT",
}


@pytest.mark.parametrize("office", ["sqlite"], indirect=True)
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_transcript(office: Office, hours: Hours, lang: str) -> None:
    desk, said = office.desk, ""
    place = desk.folder.parent
    (place / "why.txt").write_text("诉讼保全", "utf-8")

    def see(uid: int, *lines: str) -> str:
        shown = ""
        for words in lines:
            done = desk.say(uid, *words.replace("@", f"@{place}/").replace("OUT", str(place)).split(),
                            env={"CRMCTL_LANG": lang, "COLUMNS": "80"})  # fmt: skip
            told = [*done.stdout.splitlines(), *(f"! {line}".rstrip() for line in done.stderr.splitlines())]
            shown += f"$ crmctl {words}\n" + "".join(f"{line}\n" for line in told) + f"[exit {done.exit_code}]\n\n"
        return shown.replace(str(place), "")

    said += see(STEWARD, "purge plan", "purge list", "purge run 1", "purge show 1")
    hours.forward(days=31 * 36)
    said += see(STEWARD, "purge plan")
    office.json(ADMIN, "keys", "rotate")
    said += see(STEWARD, "purge plan --dry-run", "purge plan", "purge run 2", "purge approve 2")
    said += see(SUPERVISOR, "purge show 2 --customers", "purge form 2 --out OUT/plan-2.html", "approval list --open",
                "purge approve 2")  # fmt: skip
    said += see(ADMIN, "hold set C-1 --kind legal --reason @why.txt", "hold set C-3 --kind legal --reason @why.txt")
    said += see(ADMIN, "hold lift 2 --reason @why.txt")
    said += see(STEWARD, "purge run --dry-run", "purge run", "purge run", "purge run 2", "purge verify 2 --dry-run")
    said += see(STEWARD, "purge verify 2", "purge show 2 --kept", "purge list", "purge prove", "purge horizon")
    asked = see(STEWARD, "purge plan --customer C-1 --dry-run", "purge plan --customer C-1", "purge show 3 --record")
    said += asked
    said += see(ADMIN, "hold lift 1 --reason @why.txt")
    asked = see(STEWARD, "purge plan --customer C-1")
    said += asked
    (receipt,) = re.findall(r"(?:[A-Z2-7]+-){3,}[A-Z2-7]+", asked)
    (place / "receipt.txt").write_text(receipt, "utf-8")
    said += see(SUPERVISOR, "purge reject 3 --reason @why.txt", "purge approve 4")
    said += see(STEWARD, "purge prove --receipt @receipt.txt", "purge run 4", "purge prove --receipt @receipt.txt")
    said += see(STEWARD, "purge verify 4", "purge prove --receipt @receipt.txt", "purge prove --receipt @why.txt")
    said += see(AUDITOR, "purge show 4", "purge verify 1", "purge show 99", "purge run 4")
    golden.check(f"purge.{lang}", said, VARYING)
