"""The generator's promise: the same options give the same bytes, and its counts are what the rules arrive at.

The counts are checked by a slow reader that shares no code with the generator or with the import: libraries for every
number, address and date, dictionaries for identities, one row after the other.
"""

from __future__ import annotations

import csv
import hashlib
import json
import re
import runpy
import subprocess
import sys
import unicodedata
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from pathlib import Path

import phonenumbers
import pytest
from email_validator import EmailNotValidError, validate_email

ROOT = Path(__file__).resolve().parents[2]
TYPES = {"enterprise", "individual", "government", "channel"}


def generate(folder: Path, *options: str) -> tuple[Path, dict]:
    out, expected = folder / "customers.csv", folder / "expected.json"
    words = [sys.executable, "-m", "benchmarks.generate", "--out", out, "--expected", expected, *options]
    subprocess.run(words, check=True, timeout=120, cwd=ROOT)
    return out, json.loads(expected.read_text(encoding="utf-8"))


def plain(text: str) -> str:
    return unicodedata.normalize("NFKC", text).strip()


def mobile_of(text: str) -> str | None:
    try:
        number = phonenumbers.parse(re.sub(r"^(86|\(\+86\)|0086)[- ]?", "+86", plain(text)), "CN")
    except phonenumbers.NumberParseException:
        return None
    letters = any(char.isalpha() for char in text)
    mobile = phonenumbers.number_type(number) in (
        phonenumbers.PhoneNumberType.MOBILE,
        phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE,
    )
    good = phonenumbers.is_valid_number(number) and mobile and not letters
    return phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) if good else None


def email_of(text: str) -> str | None:
    try:
        return validate_email(plain(text), check_deliverability=False).normalized.lower()
    except EmailNotValidError:
        return None


def date_of(text: str) -> datetime | None:
    iso = re.sub(r"^(\d{4})[/年](\d{1,2})[/月](\d{1,2})日?$", lambda m: f"{m[1]}-{int(m[2]):02}-{int(m[3]):02}", text)
    try:
        return datetime.fromisoformat(iso)
    except ValueError:
        return None


def amount_of(text: str) -> Decimal | None:
    try:
        return Decimal(text.replace(",", ""))
    except InvalidOperation:
        return None


def fault_of(row: dict[str, str]) -> str | None:
    problems = {
        "amount": amount_of(row["annual_amount"]) is None,
        "date": date_of(row["last_contact_at"]) is None or bool(row["birthday"] and date_of(row["birthday"]) is None),
        "email": email_of(row["email"]) is None,
        "mobile": mobile_of(row["mobile"]) is None,
        "name": not plain(row["name"]),
        "type": row["customer_type"] not in TYPES,
    }
    found = [name for name, wrong in problems.items() if wrong]
    assert len(found) <= 1, f"one fault a row, not {found}"
    return found[0] if found else None


@dataclass
class Base:
    """What has been created so far, as design §5 identifies it."""

    names: list[str] = field(default_factory=list)
    contacts: list[set[str]] = field(default_factory=list)
    companies: dict[str, int] = field(default_factory=dict)
    mobiles: dict[str, int] = field(default_factory=dict)
    mailboxes: dict[str, set[int]] = field(default_factory=dict)

    def take(self, row: dict[str, str]) -> str:
        name, company = plain(row["name"]), plain(row["company"])
        mobile, email = mobile_of(row["mobile"]), email_of(row["email"])
        holders = self.mailboxes.get(email, set())
        unique = self.companies.get(company) if company else self.mobiles.get(mobile)
        if unique is None and not company:
            unique = next((holder for holder in holders if self.names[holder] == name), None)
        if unique is not None:
            if not company:
                return "duplicate" if self.names[unique] == name else "identity_conflict"
            if name in self.contacts[unique]:
                return "duplicate"
            self.contacts[unique].add(name)
            return "updated"
        number = len(self.names)
        self.names.append(company or name)
        self.contacts.append({name})
        if company:
            self.companies[company] = number
        else:
            self.mobiles[mobile] = number
        self.mailboxes.setdefault(email, set()).add(number)
        return "flagged" if holders else "good"


def brute_force(path: Path, encoding: str) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    base = Base()
    with path.open(encoding=encoding, newline="") as file:
        for row in csv.DictReader(file, strict=True):
            outcomes[fault_of(row) or base.take(row)] += 1
    return outcomes


@pytest.mark.parametrize("encoding", ["utf-8", "gb18030"])
@pytest.mark.parametrize("lang", ["zh", "en", "mixed"])
def test_the_expected_counts_are_those_of_a_slow_independent_reader(tmp_path: Path, lang: str, encoding: str) -> None:
    extra = ["--contacts", "0.02", "--conflicts", "0.02"] if lang == "mixed" else []
    path, expected = generate(
        tmp_path, "--rows", "5000", "--seed", "77", "--lang", lang, "--encoding", encoding, *extra
    )
    found = brute_force(path, encoding)
    by_fault = expected["rejected_by"]
    assert found.pop("date") == by_fault["date_impossible"]
    assert found.pop("amount") == by_fault["amount_text"]
    assert found.pop("email") == by_fault["email_no_at"] + by_fault["email_bad_domain"]
    assert found.pop("mobile") == sum(by_fault[f"mobile_{fault}"] for fault in ("letters", "short", "unassigned"))
    assert found.pop("name") == by_fault["name_empty"]
    assert found.pop("type") == by_fault["type_unknown"]
    assert found.pop("identity_conflict", 0) == by_fault.get("identity_conflict", 0)
    counts = expected["counts"]
    assert (found["good"] + found["flagged"], found["flagged"]) == (counts["created"], counts["flagged"])
    assert (found["updated"], found["duplicate"]) == (counts["updated"], counts["duplicate"])
    assert counts["read"] == 5000 == counts["created"] + counts["updated"] + counts["duplicate"] + counts["rejected"]
    assert all(counts[name] for name in ("created", "duplicate", "rejected", "flagged"))
    assert bool(counts["updated"]) == bool(extra)


def test_the_same_options_give_the_same_bytes_and_another_seed_others(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        (tmp_path / name).mkdir()
        path, expected = generate(tmp_path / name, "--rows", "9000", "--seed", seed)
        digests.append(hashlib.sha256(path.read_bytes()).hexdigest())
        assert expected["sha256"] == digests[-1]
        assert expected["bytes"] == path.stat().st_size
    assert digests[0] == digests[1] != digests[2]


def test_both_encodings_hold_the_same_text(tmp_path: Path) -> None:
    texts = []
    for encoding in ("utf-8", "gb18030"):
        (tmp_path / encoding).mkdir()
        path, _ = generate(tmp_path / encoding, "--rows", "2000", "--encoding", encoding)
        texts.append(path.read_bytes().decode(encoding))
    assert texts[0] == texts[1]
    assert "（+86）" in texts[0] and "＠" in texts[0]


def test_shares_are_kept_and_may_be_nothing(tmp_path: Path) -> None:
    clean = ["--invalid", "0", "--duplicates", "0", "--strangers", "0"]
    _, expected = generate(tmp_path, "--rows", "3000", *clean)
    assert expected["counts"] == {
        "read": 3000,
        "created": 3000,
        "updated": 0,
        "unchanged": 0,
        "duplicate": 0,
        "rejected": 0,
        "flagged": 0,
    }
    _, expected = generate(tmp_path, "--rows", "20000")
    assert 500 < expected["counts"]["rejected"] < 700
    assert 850 < expected["counts"]["duplicate"] < 1150
    assert 230 < expected["counts"]["flagged"] < 370


def test_mobile_prefixes_are_those_of_the_numbering_plan() -> None:
    words = runpy.run_path(str(ROOT / "benchmarks" / "vocabulary.py"))

    def valid(prefix: str, tail: int) -> bool:
        return phonenumbers.is_valid_number(phonenumbers.parse(f"+86{prefix}{tail}", None))

    tails = range(10_000_000, 100_000_000, 1_234_567)
    assert all(valid(prefix, tail) for prefix in words["MOBILE_PREFIXES"] for tail in tails)
    assert not any(valid(prefix, tail) for prefix in set(words["UNASSIGNED_PREFIXES"]) for tail in tails)
