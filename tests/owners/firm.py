"""A company with staff and customers as its people made them, and what is true of both, computed here."""

from __future__ import annotations

import csv
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import workspaces
from company import Company
from sqlalchemy import select

from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.owners.applying import Applied, Move, apply
from crmctl.staff.tables import staff

SEED = 20261122
REGIONS, SECTORS, LEVELS = ("浙江省", "江苏省", "上海市"), ("it", "finance", "retail"), ("junior", "mid", "senior")
AMOUNTS = ("2000000", "500000", "1000", "")  # core, important, ordinary, potential under the demo values

# Every feature on: rules by tier, fallback, skills, the same region, weights, spread, conflicts of both sorts.
POLICY = """\
kind: owners
schema: 1
version: 1
owner: grading post
settings:
  plan_valid_hours: 72
  period: month
  rules:
    - code: core
      labels: {en: Core}
      when: {tier: {eq: core}}
      staff: {level_from: mid, same: [region], skills: [{customer: industry, staff: sectors}]}
      else_next: true
      source: ["004 §5②"]
    - code: finance
      labels: {en: Finance}
      when: {industry: {eq: finance}}
      staff: {posts: [grading], skills: [{customer: industry, staff: sectors}], languages: [en]}
      source: ["004 §5②"]
    - code: rest
      labels: {en: Rest}
      staff: {posts: [grading, request]}
      source: ["004 §5②"]
  load: {by: tier, weights: [{tier: core, weight: 5}, {tier: important, weight: 2.5}]}
  spread_tiers: true
  former_owner: {within: 6}
  locked_out: {after: [reclaim], within: 90}
  conflicts:
    - {staff: [T001], customers: [C-000001, C-000007], reason: shares}
    - {staff: [T002, T003], when: {all: [{industry: {eq: retail}}, {tier: {eq: important}}]}, reason: former employer}
"""
PLAIN = """\
kind: owners
schema: 1
version: 1
owner: grading post
settings:
  plan_valid_hours: 72
  rules:
    - {code: all, labels: {en: All}, source: ["004 §5②"]}
"""


@dataclass(frozen=True)
class Someone:
    """One of the staff, as the register has them."""

    number: str
    post: str
    level: str
    region: str
    languages: tuple[str, ...]
    sectors: tuple[str, ...]
    capacity: int
    fit: bool  # trained and signed


def people(count: int, capacity: int) -> tuple[Someone, ...]:
    """Return so many made-up people who can take `capacity` customers together, about."""
    chance = random.Random(SEED)
    share = max(1, capacity // count)
    return tuple(
        Someone(
            f"T{number:03}", chance.choice(["grading", "request", "manager"]), chance.choice(LEVELS),
            chance.choice(REGIONS), tuple(chance.sample(["en", "zh"], chance.randint(1, 2))),
            tuple(chance.sample(SECTORS, chance.randint(1, 3))), chance.randint(share // 2, share * 2),
            chance.random() < 0.9,
        )
        for number in range(1, count + 1)
    )  # fmt: skip


def customers(count: int) -> Iterator[tuple[str, str, str, str]]:
    """Yield region, industry, amount and name of so many companies."""
    chance = random.Random(SEED + 1)
    for number in range(1, count + 1):
        yield chance.choice(REGIONS), chance.choice(SECTORS), chance.choice(AMOUNTS), f"Company {number:06} Ltd"


class Firm(Company):
    """A workspace with its staff and customers."""

    def policy(self, text: str) -> None:
        """Let this be the owners policy, and none come with it."""
        (self.folder / "policies" / "owners.yaml").write_text(text, "utf-8")

    def staffed(self, everybody: tuple[Someone, ...]) -> None:
        """Import people; the register gets a field for what they know."""
        path = self.folder / "policies" / "staff.yaml"
        text = path.read_text("utf-8")
        if "code: sectors" not in text:
            field = "    - {code: sectors, labels: {en: Sectors}, max_length: 80}\n"
            path.write_text(text.replace("    - code: hr_id\n", field + "    - code: hr_id\n", 1), "utf-8")
        file = self.folder.parent / "staff.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            table = csv.writer(out)
            table.writerow(
                ["number", "name", "post", "level", "region", "languages", "Sectors", "capacity", "trained_on",
                 "signed_on"]
            )  # fmt: skip
            for each in everybody:
                days = ("2025-01-06", "2025-01-06") if each.fit else ("", "")
                table.writerow(
                    [each.number, f"N {each.number}", each.post, each.level, each.region, ";".join(each.languages),
                     ";".join(each.sectors), each.capacity, *days]
                )  # fmt: skip
        done = self.say("staff", "import", file, "-q")
        assert done.exit_code == 0, done.stdout + done.stderr

    def filled(self, count: int) -> None:
        """Import and grade so many companies."""
        file = self.folder.parent / "companies.csv"
        with file.open("w", encoding="utf-8", newline="") as out:
            table = csv.writer(out)
            table.writerow(["company name", "type", "region", "industry", "annual_amount"])
            for region, industry, amount, name in customers(count):
                table.writerow([name, "enterprise", region, industry, amount])
        done = self.say("customer", "import", file, "-q")
        assert done.exit_code == 0, done.stdout + done.stderr
        self.regrade()

    def assign(self, *words: object, status: int = 0) -> dict[str, Any]:
        """Assign, or say what that would do."""
        return self.json("owner", "assign", *words, status=status)

    def owners(self) -> dict[int, str | None]:
        """Return the staff number of every customer's owner."""
        numbers = self.numbers()
        rows = self.rows(select(customer.c.customer_id, customer.c.owner_id))
        return {row.customer_id: numbers.get(row.owner_id) for row in rows}

    def numbers(self) -> dict[int | None, str]:
        """Return staff numbers by staff id."""
        return {row.staff_id: row.number for row in self.rows(select(staff.c.staff_id, staff.c.number))}

    def open_rows(self) -> dict[int, Any]:
        """Return the open ownership of every customer; there must be one at most."""
        found = self.rows(select(ownership).where(ownership.c.until_at.is_(None), ownership.c.role == "owner"))
        assert len({row.customer_id for row in found}) == len(found)
        return {row.customer_id: row for row in found}

    def release(self, numbers: list[int], reason: str = "reclaim") -> None:
        """Take customers away from their owners."""
        held = {row.customer_id: row.owner_id for row in self.rows(select(customer.c.customer_id, customer.c.owner_id))}
        with workspaces.running(self.folder, "owner reclaim") as run:
            apply(run, [Move(number, held[number], None, reason) for number in numbers], Applied())
