"""The log from before a purge to after it: exported, it verifies, here and with the stand-alone verifier (DES-04)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from casework import HANDLER
from desks import ADMIN, AUDITOR, PERSONAL, STEWARD
from doomed import PLAN, Doomed


@pytest.mark.parametrize("customer", ["", "C-000001"])
def test_the_export_of_the_period_verifies(doomed: Doomed, tmp_path: Path, customer: str) -> None:
    """An auditor who pinned a checkpoint before the purge verifies what came after it against that."""
    office = doomed.office
    office.json(HANDLER, "customer", "list")  # looks at those to be destroyed
    pin = tmp_path / "pin.txt"
    pin.write_text(office.json(ADMIN, "audit", "checkpoint")["note"], "utf-8")
    before = len(office.desk.log())
    assert doomed.purge().returncode == 0
    verified = office.json(STEWARD, "purge", "verify", PLAN)
    office.hours.forward(minutes=5)
    assert office.desk.say(ADMIN, "audit", "checkpoint").exit_code == 0
    bundle = tmp_path / "bundle"
    words = ["audit", "export", "--bundle", bundle, *(("--customer", customer) if customer else ())]
    exported = office.desk.say(AUDITOR, *words)
    assert exported.exit_code == 0, exported.stderr
    assert office.desk.say(AUDITOR, "audit", "verify").exit_code in (0, 14)
    given = ["--key", str(office.desk.folder / "signer.vkey"), "--pin", str(pin)]
    alone = [sys.executable, "-I", str(bundle / "verify_audit.py"), *given, str(bundle)]
    told = subprocess.run(alone, capture_output=True, text=True, timeout=120, check=False)
    assert told.returncode in (0, 14), told.stdout + told.stderr
    entries = (bundle / "entries.jsonl").read_text("ascii")
    assert before < len(office.desk.log())
    assert (verified["record_sha256"] in entries) is not bool(customer)
    texts = [path.read_text("utf-8") for path in bundle.rglob("*") if path.is_file()]
    assert not any(secret in text for text in texts for secret in PERSONAL)
    if customer:
        leaves = (bundle / "leaves.jsonl").read_text("utf-8")
        assert '"content":null' in leaves, "the leaves of who was destroyed tell nothing"
        assert '"salt":"' not in leaves
