"""The sample of the tour: what a newcomer is shown must be true, teachable, and about nobody."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import workspaces

from crmctl.setup import demo

SAMPLE = Path(demo.SAMPLE)
ENCODINGS = {"customers_zh.csv": "gb18030", "customers_zh_fixed.csv": "gb18030", "customers_en.csv": "utf-8"}
LESSONS = {
    "AMOUNT_INVALID",
    "DATE_INVALID",
    "EMAIL_INVALID",
    "IDENTITY_CONFLICT",
    "MOBILE_INVALID",
    "REQUIRED",
    "TYPE_UNKNOWN",
}


@pytest.fixture(scope="module")
def reports(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, Any]]:
    """What importing the three files in turn, as the tour does, reports."""
    workspace = workspaces.make(tmp_path_factory.mktemp("tour") / "crm")
    found = {}
    for name in ENCODINGS:
        words = [sys.executable, "-m", "crmctl", "-w", workspace, "customer", "import", SAMPLE / name, "-o", "json"]
        done = subprocess.run(words, capture_output=True, text=True, timeout=120, stdin=subprocess.DEVNULL)
        assert done.returncode in (0, 3), done.stderr
        found[name] = json.loads(done.stdout)
    return found


def counts(report: dict[str, Any]) -> tuple[int, ...]:
    return tuple(report[name] for name in ("read", "created", "updated", "duplicate", "rejected", "flagged"))


def records(name: str) -> list[list[str]]:
    text = (SAMPLE / name).read_bytes().decode(ENCODINGS[name])
    return list(csv.reader(io.StringIO(text, newline=""), strict=True))


def test_the_chinese_sample_teaches_every_outcome(reports: dict[str, dict[str, Any]]) -> None:
    report = reports["customers_zh.csv"]
    assert counts(report) == (58, 42, 3, 4, 9, 1)
    assert set(report["reasons"]) == LESSONS


def test_the_corrected_rows_are_all_created(reports: dict[str, dict[str, Any]]) -> None:
    assert counts(reports["customers_zh_fixed.csv"]) == (9, 9, 0, 0, 0, 0)


def test_the_english_sample_teaches_the_same_and_has_a_number_nobody_can_check(
    reports: dict[str, dict[str, Any]],
) -> None:
    report = reports["customers_en.csv"]
    assert counts(report) == (39, 27, 2, 3, 7, 2)
    assert set(report["reasons"]) == LESSONS


def test_the_chinese_files_are_what_a_chinese_desk_saves() -> None:
    data = (SAMPLE / "customers_zh.csv").read_bytes()
    with pytest.raises(UnicodeDecodeError):
        data.decode("utf-8")
    assert data.count(b"\r\n") == len(records("customers_zh.csv"))
    assert records("customers_zh.csv")[0] == records("customers_zh_fixed.csv")[0]


@pytest.mark.parametrize("name", ENCODINGS)
def test_nobody_can_be_reached(name: str) -> None:
    text = (SAMPLE / name).read_bytes().decode(ENCODINGS[name]).lower()
    domains = set(re.findall(r"[@＠]([a-z0-9.-]+)", text))
    assert domains
    assert all(re.fullmatch(r"([a-z0-9-]+\.)*example\.(cn|com|net|org)", domain) for domain in domains)
