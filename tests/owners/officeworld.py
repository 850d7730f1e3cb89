"""A company with people of every sort on its register and a dozen customers, and what is done with their owners."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cached_property
from pathlib import Path
from typing import Any

import pytest
import workspaces
from desks import Desk
from desks import _desks as _desks
from desks import desk as desk
from sqlalchemy import select, text

from crmctl.customers.ownership import ownership
from crmctl.customers.tables import customer
from crmctl.owners.applying import Applied, Move, apply
from crmctl.owners.tables import handover_item
from crmctl.staff.tables import staff
from crmctl.store.engine import write

ADMIN, STEWARD, ANNA, BEN = 1004, 1001, 2001, 2002
# Anna and Ben have accounts here; Cora has no training, Dan no signature, Eve is away alone, Finn has left.
PEOPLE = (
    "工号,姓名,客户容量,企业微信账号,系统账号编号,岗前培训通过日期,保密协议签署日期,入职日期,离职日期\n"
    "A1,Anna,8,anna,2001,2026-01-05,2026-01-05,2025-01-01,\n"
    "B2,Ben,20,ben,2002,2026-01-05,2026-01-05,2025-01-01,\n"
    "C3,Cora,20,cora,,,2026-01-05,2025-01-01,\n"
    "D4,Dan,20,dan,,2026-01-05,,2025-01-01,\n"
    "E5,Eve,20,,,2026-01-05,2026-01-05,2025-01-01,\n"
    "F6,Finn,20,finn,,2026-01-05,2026-01-05,2025-01-01,2026-02-01\n"
)
POOLS = """\
kind: owners
schema: 1
version: 7
owner: grading post
limits: {max_percent: 100}
settings:
  rules:
    - {code: all, labels: {zh: 全部, en: All}}
  pools:
    - code: public
      labels: {zh: 公海, en: Pool}
      types: [enterprise]
      take_per_day: 2
      locked_out_for: 30
      reclaim:
        - {tiers: [core], no_contact_for: 60}
        - {no_contact_for: 30, contract_ended_for: 10}
        - {tiers: [ordinary], contract_ended_for: 100}
"""


COMPANIES = 12  # C-4 to C-15


def sheet(last: int, **columns: Any) -> str:
    """Return a file of companies, each with a contact person who is on WeCom; `columns` say more of each, by code."""
    names = ["customer_type", "company_name", "name", "mobile", "external_userid", *columns]
    lines = [",".join(names)]
    for n in range(1, last + 1):
        more = [str(values[n - 1]) for values in columns.values()]
        lines.append(
            ",".join(["enterprise", f"公司{n:03}有限公司", f"联系人{n:03}", f"138000{n:05}", f"wm{n:05}", *more])
        )
    return "\n".join(lines) + "\n"


@dataclass
class Office:
    """The company, with shorthands."""

    desk: Desk

    def json(self, *words: object, status: int = 0, uid: int = ADMIN) -> dict[str, Any]:
        """Run a command, as the administrator unless said; return its document, or its failure."""
        return self.desk.json(uid, *words, status=status)

    def say(self, *words: object, uid: int = ADMIN) -> Any:
        """Run a command as a person sees it."""
        return self.desk.say(uid, *words)

    def sql(self, statement: str, **values: Any) -> None:
        """Change the database behind the program's back."""
        with write(self.desk.engine) as conn:
            conn.execute(text(statement), values)

    @cached_property
    def ids(self) -> dict[str, int]:
        """Return staff ids by staff number."""
        return {row["number"]: row["staff_id"] for row in self.desk.rows(select(staff.c.number, staff.c.staff_id))}

    def give(self, owner: str | int, *numbers: int) -> None:
        """Let somebody own customers, by the one way there is."""
        to = owner if isinstance(owner, int) else self.ids[owner]
        held = self.owners()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(os, "getresuid", lambda: (ADMIN, ADMIN, ADMIN))
            with workspaces.running(self.desk.folder, "owner assign") as run:
                apply(run, [Move(number, held[number], to, "assign") for number in numbers], Applied())

    def day(self, days: int = 0) -> str:
        """Return the company's day, so many days on."""
        today = date.fromisoformat(self.json("owner", "workload")["day"])
        return (today + timedelta(days=days)).isoformat()

    def update(self, last: int, **columns: Any) -> None:
        """Import more of what the companies are, in the order of their numbers."""
        file = self.write("update.csv", sheet(last, **columns))
        done = self.say("customer", "import", file, "--mode", "upsert", uid=STEWARD)
        assert done.exit_code == 0, done

    def owners(self) -> dict[int, int | None]:
        """Return the owner of every customer."""
        rows = self.desk.rows(select(customer.c.customer_id, customer.c.owner_id))
        return {row["customer_id"]: row["owner_id"] for row in rows}

    def open(self) -> Mapping[int, int]:
        """Return the open rows of role owner: customer → staff id."""
        rows = self.desk.rows(select(ownership).where(ownership.c.until_at.is_(None), ownership.c.role == "owner"))
        assert len({row["customer_id"] for row in rows}) == len(rows)
        return {row["customer_id"]: row["staff_id"] for row in rows}

    def items(self, handover: int) -> dict[int, tuple[int, str]]:
        """Return the items of a handover: customer → (who takes over, state)."""
        rows = self.desk.rows(select(handover_item).where(handover_item.c.handover_id == handover))
        return {row["customer_id"]: (row["to_id"], row["state"]) for row in rows}

    def write(self, name: str, content: str) -> Path:
        """Write a file beside the workspace."""
        path = self.desk.folder.parent / name
        path.write_text(content, "utf-8")
        return path

    def document(self, path: Path) -> Any:
        """Return what a JSON file holds."""
        return json.loads(path.read_text("utf-8"))


@pytest.fixture
def office(desk: Desk) -> Office:
    """The company: people registered, accounts for Anna and Ben as agents, C-4 to C-15 imported; nobody owns any."""
    office = Office(desk)
    (desk.folder / "policies" / "owners.yaml").write_text(POOLS, "utf-8")
    papers = "confidentiality_signed: 2026-01-01, training_passed: 2026-01-01"
    agents = "".join(
        f"    {name}: {{uids: [{uid}], roles: [agent], {papers}}}\n" for name, uid in (("anna", ANNA), ("ben", BEN))
    )
    desk.edit("access.yaml", "  people:\n", f"  people:\n{agents}")
    done = office.say("staff", "import", office.write("staff.csv", PEOPLE))
    assert done.exit_code == 0, done
    done = office.say("customer", "import", office.write("more.csv", sheet(COMPANIES)), uid=STEWARD)
    assert done.exit_code == 0, done
    return office
