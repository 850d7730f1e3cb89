"""Whom nobody knows yet: a number and a key for the complaint, and in no other room a customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from desks import ADMIN, STEWARD, SUPERVISOR, Desk
from sqlalchemy import select

from crmctl.customers.tables import customer, identity

SAID = ("--complainant", "李四光", "--contact", "13912345679", "--matter", "渗水三天", "--demand", "上门维修")


@pytest.fixture
def unknown(desk: Desk) -> int:
    """The number of an unidentified complainant; C-1 to C-3 are the desk's own customers."""
    words = ("complaint", "open", "--unidentified", "--channel", "phone", "--category", "quality", *SAID)
    return int(desk.json(SUPERVISOR, *words)["customer"])


def stored(desk: Desk, number: int) -> dict[str, Any]:
    """Return the row of a customer."""
    (row,) = desk.rows(select(customer).where(customer.c.customer_id == number))
    return dict(row)


def test_it_is_counted_and_listed_by_its_status_alone(desk: Desk, unknown: int) -> None:
    """CMP-02: who complains anonymously is registered; who counts customers does not meet them."""
    assert desk.json(STEWARD, "customer", "list", "--count")["count"] == 3
    assert [row["customer"] for row in desk.json(STEWARD, "customer", "list")["customers"]] == [1, 2, 3]
    found = desk.json(STEWARD, "customer", "list", "--status", "provisional")["customers"]
    assert [(row["customer"], row["status"]) for row in found] == [(unknown, "provisional")]
    assert desk.json(STEWARD, "customer", "list", "--status", "draft", "--count")["count"] == 3


def test_it_is_shown_by_its_number_and_told_as_what_it_is(desk: Desk, unknown: int) -> None:
    done = desk.say(STEWARD, "customer", "show", unknown)
    assert (done.exit_code, "nobody knows yet who that is" in done.stderr) == (0, True), done
    assert "unidentified" in done.stdout
    assert desk.say(STEWARD, "customer", "show", 1).stderr == ""
    found = desk.json(STEWARD, "customer", "find", "--number", f"C-{unknown}")["customers"]
    assert [row["status"] for row in found] == ["provisional"]


def test_it_is_not_graded_nor_counted_by_tier(desk: Desk, unknown: int) -> None:
    """TIER-03: everybody who is left becomes potential; whom nobody knows does not."""
    done = desk.json(ADMIN, "tier", "regrade")
    assert done["graded"] == 3
    assert (stored(desk, unknown)["tier"], stored(desk, 2)["tier"] is None) == (None, False)
    assert sum(desk.json(ADMIN, "tier", "summary")["tiers"].values()) == 3
    desk.json(ADMIN, "tier", "regrade", "--customer", unknown)
    assert stored(desk, unknown)["tier"] is None
    words = ("tier", "override", unknown, "--pin", "core", "--until", "2099-01-01", "--reason", "x")
    assert desk.refusal(SUPERVISOR, *words, status=1) == "PROVISIONAL"
    assert desk.json(STEWARD, "tier", "explain", unknown).get("policy") is None


def test_it_gets_no_owner(desk: Desk, unknown: int) -> None:
    done = desk.json(ADMIN, "owner", "assign")
    assert stored(desk, unknown)["owner_id"] is None
    assert stored(desk, 2)["owner_id"] is not None, done
    assert done["assigned"] == desk.json(ADMIN, "owner", "list")["customers"] == 3


def test_no_import_ever_matches_it(desk: Desk, unknown: int, tmp_path: Path) -> None:
    """What the complainant says of themselves is sealed with the complaint: no identity, no duplicate of anybody."""
    before = stored(desk, unknown)
    assert desk.rows(select(identity).where(identity.c.customer_id == unknown)) == []
    source = tmp_path / "again.csv"
    source.write_text("customer_type,name,mobile\nindividual,李四光,13912345679\n", "utf-8")
    desk.json(STEWARD, "customer", "import", source, "--mode", "upsert")
    assert stored(desk, unknown) == before
    assert desk.json(STEWARD, "customer", "find", "--mobile", "13912345679")["customers"] != []


def test_an_export_leaves_it_out(desk: Desk, unknown: int, tmp_path: Path) -> None:
    words = ("--fields", "status", "--purpose", "contact", "--recipient", "self", "--out", tmp_path / "all.csv")
    done = desk.json(STEWARD, "customer", "export", *words)
    assert (done["customers"], unknown) == (3, 4)
