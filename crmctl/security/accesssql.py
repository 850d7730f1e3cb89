"""The PostgreSQL side of access.yaml, for mode server: group roles, members, grants, row policies. A script to read.

A role becomes the group `crm_ROLE` (NOLOGIN); people are members by their login roles. What the program does not need,
nobody gets: entries of the log and leaves of changes can be added, never changed or removed, by anybody but the owner.
Rows of customers are cut to the role's scope by row policies, which no ordinary login passes over; of several roles of
a person the widest counts. Numbers come from crmctl: a group's grants are what its role's acts write.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date

from psycopg.sql import SQL, Composable, Identifier, Literal
from sqlalchemy import Table

from crmctl.security import accessrows, permissions
from crmctl.security.access import AccessSettings, Role
from crmctl.security.accessrows import OWN, SCHEMA
from crmctl.security.actor import Actor
from crmctl.store.schema import load_all

PREFIX, EVERYBODY = "crm_", "crm_user"
ALL, ADD, KEEP = "INSERT, UPDATE, DELETE", "INSERT", "INSERT, UPDATE"
_SHEETS = {"batch": ALL, "rejected_row": ALL, "reservation": ALL}
# What every run writes, whoever runs it: the log, its head, itself, its looks.
_EVERY_RUN = {
    "audit_entry": ADD, "audit_head": KEEP, "run": KEEP, "counter": KEEP, "policy_version": ADD, "look": ADD,
    "denial": ALL, "approval": KEEP, "notification": KEEP,
}  # fmt: skip
# What happens to a complaint, whichever act it is; acts that need more say so below.
_STEP = {"complaint": "UPDATE", "complaint_event": ADD, "complaint_clock": KEEP, "change": ADD}
_STEPS = tuple(f"complaint.{verb}" for verb in (
    "respond", "verify", "propose", "agree", "refuse", "rectify", "progress", "handoff", "answer", "revisit", "review",
    "legal-review", "analyse", "mediate", "close", "reopen", "extend", "mark-duplicate", "link", "attach", "classify",
    "escalate",
))  # fmt: skip
_CUSTOMER = {"customer": ALL, "contact": ALL, "identity": ALL, "change": ADD}
# Acts, and what they write besides; a table that is not there (yet) is passed over.
WRITES: tuple[tuple[tuple[str, ...], dict[str, str]], ...] = (
    (("customer.import", "batch.resume"), {**_CUSTOMER, "ownership": KEEP, **_SHEETS}),
    (("customer.update", "customer.review", "customer.tag", "customer.merge", "customer.cancel", "customer.recall"),
     _CUSTOMER),
    (("order.import", "batch.resume"), {"purchase_order": ALL, "order_number": ALL, "change": ADD, **_SHEETS}),
    (
        ("tier.regrade", "tier.override"),
        {"customer": "UPDATE", "tier_change": ADD, "tier_override": KEEP, "tier_grace": ALL, "change": ADD,
         "plan": KEEP, "plan_item": ALL},
    ),
    (
        ("owner.assign", "owner.take", "owner.reclaim", "owner.handover", "owner.handover.accept",
         "owner.handover.return", "owner.handover.wecom"),
        {"customer": "UPDATE", "ownership": KEEP, "handover": KEEP, "handover_item": KEEP, "change": ADD, "plan": KEEP,
         "plan_item": ALL},
    ),
    (("owner.collaborator",), {"customer": "UPDATE", "ownership": KEEP}),
    (
        ("staff.add", "staff.update", "staff.deactivate", "staff.import", "staff.absence"),
        {"staff": ALL, "absence": ALL, "change": ADD, **_SHEETS},
    ),
    (
        ("batch.rejects", "customer.export", "audit.export", "keys.copy", "use.destroyed", "owner.handover.sheet",
         "owner.handover.wecom"),
        {"copy_register": KEEP},
    ),
    (("batch.rejects",), {"rejected_row": "UPDATE"}),
    (("approval.approve", "approval.reject", "approval.revoke"), {"approval_decision": ADD}),
    (
        ("use.request", "use.record", "customer.export", "customer.reveal", "audit.export", "audit.ask",
         "owner.handover.wecom"),
        {"use_request": KEEP, "use_record": KEEP},
    ),
    (("use.evaluated",), {"use_evaluation": ADD}),
    (("paper.add", "paper.move", "paper.destroyed"), {"paper_item": KEEP, "paper_customer": KEEP}),
    ((*_STEPS, "calendar.update"), _STEP),
    (
        ("complaint.open", "complaint.import"),
        {**_STEP, "complaint": KEEP, "case_number": ADD, "customer": "INSERT"},  # of whom nobody knows yet, one is made
    ),
    (("complaint.import", "batch.resume"), {**_STEP, "complaint": KEEP, "case_number": ADD, **_SHEETS}),
    (("complaint.attach",), {"complaint_file": ADD}),
    (("complaint.revisit",), {"satisfaction": ADD}),
    (("complaint.file", "complaint.form"), {"copy_register": KEEP}),
    (("complaint.reveal", "complaint.file", "complaint.form"), {"use_request": KEEP, "use_record": KEEP}),
    (("audit.checkpoint",), {"checkpoint": ADD}),
    (("hold.set",), {"legal_hold": KEEP, "legal_hold_item": ADD, "change": ADD}),
    (("backup.create", "backup.verify", "backup.drill"), {"backup": KEEP}),
    (("hold.lift",), {"legal_hold": "UPDATE", "legal_hold_item": "DELETE", "change": ADD}),
    (("purge.plan", "purge.run"), {"plan": KEEP, "plan_item": ALL}),
    (
        ("purge.run",),
        {"destruction": KEEP, "destruction_leaf": ADD, "do_not_recreate": ALL, "identity": "DELETE",
         "order_number": "DELETE", "case_number": "UPDATE, DELETE", "change": ADD, "rejected_row": "DELETE",
         "batch": "UPDATE", "paper_customer": "UPDATE", "customer": "UPDATE",
         "anonymous_group": ALL},
    ),
    (("purge.verify", "purge.horizon"), {"destruction": "UPDATE"}),
    (("purge.horizon",), {"do_not_recreate": "DELETE"}),
)  # fmt: skip
# What a purge removes are rows of customers, whichever table; of what only loses its images and salts, those columns.
# Who is under a hold is never destroyed.
PURGE, HELD = "purge.run", "legal_hold_item"
EMPTIED = {"change": "UPDATE (before_clear, before_sealed, salt)", "look": "UPDATE (salt)"}
# What anonymised customers left, which while a purge runs is of single ones too.
LEFT = "anonymous_group"
_LEFT_READ = ("purge.list", "purge.run", "backup.create", "backup.verify", "backup.drill")
# Nouns whose acts look at customers; a role without any of them reads none of their tables.
_LOOKS = (
    "customer", "order", "tier", "policy", "purge", "owner", "audit", "batch", "access", "use", "complaint", "hold",
    "paper",
)  # fmt: skip
_IMPORTS = (
    "customer.import", "order.import", "staff.import", "complaint.import", "batch.list", "batch.show", "batch.rejects",
    "purge.plan", "purge.run", "purge.verify",
)  # fmt: skip


def script(access: AccessSettings, policy_hash: str, day: date, zone: str) -> str:
    """Return the script for the people of `access` who may work on `day`; running it again changes nothing.

    `zone` is the company's: whoever stands in for somebody, or is a collaborator, sees the customers on its days.
    """
    head = (
        f"-- access.yaml of the policies {policy_hash[:16]}, as of {day}: for the owner of the database, in one go.\n"
    )
    parts: list[Composable] = [
        SQL("BEGIN;"),
        *_groups(access),
        *_members(access, day),
        *_people(access, zone),
        *_grants(access),
        *_policies(access),
        SQL("COMMIT;"),
    ]
    return head + "\n".join(part.as_string(None) for part in parts) + "\n"


def group(role: str) -> str:
    """Return the group of a role."""
    return PREFIX + role.replace("-", "_")


def _groups(access: AccessSettings) -> Iterator[Composable]:
    yield SQL("\n-- Groups: one for each role, and one for what every run needs.")
    make = SQL(
        "DO $crm$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {text}) THEN\n"
        "  CREATE ROLE {name} NOLOGIN; END IF; END $crm$;"
    )
    for name in (EVERYBODY, *map(group, access.roles)):
        yield make.format(text=Literal(name), name=Identifier(name))
    for role in access.roles:
        yield SQL("GRANT {} TO {};").format(Identifier(EVERYBODY), Identifier(group(role)))


def _logins(access: AccessSettings, day: date) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield login roles with the roles they hold; people whose papers are missing hold none."""
    for name, person in access.people.items():
        actor = Actor(name, 0, "direct", person.roles)
        held = () if permissions.papers(actor, access, day, None) else person.roles
        yield from ((login, held) for login in person.pg)
    for job in access.jobs.values():
        yield from ((login, (job.as_role,) if job.as_role else ()) for login in job.pg)


def _members(access: AccessSettings, day: date) -> Iterator[Composable]:
    yield SQL("\n-- Members: logins of access.yaml that exist; everybody else is taken out.")
    wanted = [(login, group(role)) for login, roles in _logins(access, day) for role in roles if role in access.roles]
    pairs = SQL(", ").join(SQL("({}, {})").format(Literal(login), Literal(name)) for login, name in wanted)
    yield SQL(
        "CREATE TEMPORARY TABLE crm_wanted (login text, grp text) ON COMMIT DROP;\n{insert}"
        "DO $crm$ DECLARE it record; BEGIN\n"
        "  FOR it IN SELECT m.rolname AS login, g.rolname AS grp FROM pg_auth_members a\n"
        "      JOIN pg_roles m ON m.oid = a.member JOIN pg_roles g ON g.oid = a.roleid\n"
        "      WHERE g.rolname = ANY ({groups}) AND NOT m.rolname = ANY ({groups})\n"
        "      AND m.rolname <> current_user\n"
        "      AND NOT EXISTS (SELECT FROM crm_wanted w WHERE w.login = m.rolname AND w.grp = g.rolname) LOOP\n"
        "    EXECUTE format('REVOKE %I FROM %I', it.grp, it.login); END LOOP;\n"
        "  FOR it IN SELECT * FROM crm_wanted LOOP\n"
        "    IF EXISTS (SELECT FROM pg_roles WHERE rolname = it.login) THEN\n"
        "      EXECUTE format('GRANT %I TO %I', it.grp, it.login);\n"
        "    ELSE RAISE NOTICE 'no login role %', it.login; END IF; END LOOP;\n"
        "END $crm$;"
    ).format(
        insert=SQL("INSERT INTO crm_wanted VALUES {};\n").format(pairs) if wanted else SQL(""),
        groups=Literal([EVERYBODY, *map(group, access.roles)]),
    )


def _people(access: AccessSettings, zone: str) -> Iterator[Composable]:
    """Yield the table that says who a login is, and the functions that row policies ask."""
    yield SQL(
        "\n-- Who a login is on the staff register, for row policies.\n"
        "CREATE SCHEMA IF NOT EXISTS {own};\n"
        "CREATE TABLE IF NOT EXISTS {own}.login (login text PRIMARY KEY, person text NOT NULL, number text,"
        " uids text[] NOT NULL, org_unit text);\n"
        "DELETE FROM {own}.login;"
    ).format(own=Identifier(OWN))
    for name, person in access.people.items():
        for login in person.pg:
            values = (login, name, person.staff, [str(uid) for uid in person.uids], person.org_unit)
            yield SQL("INSERT INTO {}.login VALUES ({}, {}, {}, {}::text[], {});").format(
                Identifier(OWN), *map(Literal, values)
            )
    yield SQL(
        "CREATE OR REPLACE FUNCTION {own}.own_staff() RETURNS SETOF bigint LANGUAGE sql STABLE SECURITY DEFINER\n"
        "  SET search_path = pg_catalog, pg_temp AS $crm$\n"
        "  WITH me AS (SELECT s.staff_id FROM {schema}.staff s JOIN {own}.login l ON l.login = session_user\n"
        "    WHERE s.number = l.number OR string_to_array(s.uids, ' ') && l.uids)\n"
        "  SELECT staff_id FROM me UNION\n"
        "  SELECT a.staff_id FROM {schema}.absence a JOIN me ON me.staff_id = a.deputy_id\n"
        "  WHERE a.cancelled_at IS NULL\n"
        "    AND to_char(now() AT TIME ZONE {zone}, 'YYYY-MM-DD') BETWEEN a.from_on AND a.until_on $crm$;\n"
        "CREATE OR REPLACE FUNCTION {own}.own_shared() RETURNS SETOF bigint LANGUAGE sql STABLE SECURITY DEFINER\n"
        "  SET search_path = pg_catalog, pg_temp AS $crm$\n"
        "  SELECT o.customer_id FROM {schema}.ownership o JOIN {schema}.staff s ON s.staff_id = o.staff_id\n"
        "    JOIN {own}.login l ON l.login = session_user\n"
        "  WHERE (s.number = l.number OR string_to_array(s.uids, ' ') && l.uids)\n"
        "    AND o.role = 'collaborator' AND o.until_at IS NULL\n"
        "    AND (o.until_on IS NULL OR o.until_on >= to_char(now() AT TIME ZONE {zone}, 'YYYY-MM-DD')) $crm$;\n"
        "CREATE OR REPLACE FUNCTION {own}.own_units() RETURNS SETOF text LANGUAGE sql STABLE SECURITY DEFINER\n"
        "  SET search_path = pg_catalog, pg_temp AS $crm$\n"
        "  SELECT coalesce(l.org_unit, (SELECT min(s.org_unit) FROM {schema}.staff s\n"
        "    WHERE s.number = l.number OR string_to_array(s.uids, ' ') && l.uids\n"
        "    HAVING count(DISTINCT coalesce(s.org_unit, '')) = 1))\n"
        "  FROM {own}.login l WHERE l.login = session_user $crm$;\n"
        "REVOKE ALL ON SCHEMA {own} FROM PUBLIC;\n"
        "REVOKE ALL ON ALL TABLES IN SCHEMA {own} FROM PUBLIC;\n"
        "REVOKE ALL ON ALL FUNCTIONS IN SCHEMA {own} FROM PUBLIC;\n"
        "GRANT USAGE ON SCHEMA {own} TO {user};\n"
        "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA {own} TO {user};"
    ).format(own=Identifier(OWN), schema=Identifier(SCHEMA), user=Identifier(EVERYBODY), zone=Literal(zone))


def _grants(access: AccessSettings) -> Iterator[Composable]:
    tables = load_all().tables
    groups = [EVERYBODY, *map(group, access.roles)]
    yield SQL("\n-- Grants: what is not granted here, nobody has.")
    for name in ("PUBLIC", *groups):
        who = SQL("PUBLIC") if name == "PUBLIC" else Identifier(name)
        yield SQL("REVOKE ALL ON ALL TABLES IN SCHEMA {} FROM {};").format(Identifier(SCHEMA), who)
    yield SQL("REVOKE CREATE ON SCHEMA {} FROM PUBLIC;").format(Identifier(SCHEMA))
    yield SQL("GRANT USAGE ON SCHEMA {} TO {};").format(Identifier(SCHEMA), Identifier(EVERYBODY))
    common = [name for name, table in tables.items() if name not in (*_SHEETS, LEFT) and not _of_customer(table)]
    yield _grant("SELECT", [*common, "alembic_version"], EVERYBODY)
    for name, rights in _EVERY_RUN.items():
        yield _grant(rights, [name], EVERYBODY)
    for code, role in access.roles.items():
        reads = [name for name, table in tables.items() if _of_customer(table)] if _looks(role) else []
        reads += list(_SHEETS) if any(_may(role, act) for act in _IMPORTS) else []
        reads += [LEFT] if any(_may(role, act) for act in _LEFT_READ) else []
        if reads:
            yield _grant("SELECT", reads, group(code))
        for name, rights in _written(role).items():
            if name in tables:
                yield _grant(rights, [name], group(code))
        if _may(role, PURGE):
            lie = [name for name, table in tables.items() if table.info["distribution"] == "customer_id"]
            yield _grant("DELETE", [name for name in lie if name not in (*EMPTIED, HELD)], group(code))
            for name, rights in EMPTIED.items():
                yield _grant(rights, [name], group(code))


def _grant(rights: str, tables: Iterable[str], to: str) -> Composable:
    names = SQL(", ").join(Identifier(SCHEMA, name) for name in tables)
    return SQL("GRANT {} ON {} TO {};").format(SQL(rights), names, Identifier(to))


def _written(role: Role) -> dict[str, str]:
    """Return the rights that a role's acts need, by table."""
    found: dict[str, set[str]] = {}
    for acts, tables in WRITES:
        if any(_may(role, act) for act in acts):
            for name, rights in tables.items():
                found.setdefault(name, set()).update(rights.split(", "))
    return {name: ", ".join(right for right in ALL.split(", ") if right in rights) for name, rights in found.items()}


def _may(role: Role, act: str) -> bool:
    """Say whether a role may do an act; what concerns everybody is for scope all alone."""
    narrow = role.scope != "all" and permissions.matches(permissions.WHOLE, act)
    return permissions.grants(role.can, act) and not permissions.matches(role.deny, act) and not narrow


def _looks(role: Role) -> bool:
    return any(act.partition(".")[0] in _LOOKS for act in role.can)


def _of_customer(table: Table) -> bool:
    return "customer_id" in table.c


def _policies(access: AccessSettings) -> Iterator[Composable]:
    yield SQL("\n-- Rows: a role sees the customers of its scope, with everything that hangs on them.")
    tables = [table for table in load_all().tables.values() if _of_customer(table)]
    names = Literal([table.name for table in tables])
    yield SQL(
        "DO $crm$ DECLARE it record; BEGIN\n"
        "  FOR it IN SELECT policyname, tablename FROM pg_policies\n"
        "      WHERE schemaname = {schema} AND tablename = ANY ({names}) AND policyname LIKE 'crm\\_%' LOOP\n"
        "    EXECUTE format('DROP POLICY %I ON %I.%I', it.policyname, {schema}, it.tablename); END LOOP;\n"
        "  FOR it IN SELECT tablename, tableowner FROM pg_tables\n"
        "      WHERE schemaname = {schema} AND tablename = ANY ({names}) LOOP\n"
        "    EXECUTE format('ALTER TABLE %I.%I ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY',"
        " {schema}, it.tablename);\n"
        "    EXECUTE format('CREATE POLICY crm_owner_ ON %I.%I TO %I USING (true) WITH CHECK (true)',"
        " {schema}, it.tablename, it.tableowner); END LOOP;\n"
        "END $crm$;"
    ).format(schema=Literal(SCHEMA), names=names)
    for code, role in access.roles.items():
        for table in tables:
            if _looks(role) or table.name in (*_written(role), *_EVERY_RUN):
                yield from _role_policies(code, role, table.name)


def _role_policies(code: str, role: Role, table: str) -> Iterator[Composable]:
    """Yield what a role sees of a table, and changes there.

    Who owns a customer, and who works on it, is changed by its owner alone: a collaborator, who sees it, could make
    themselves the owner otherwise. Whoever opens a complaint may make a customer nobody knows yet, and whoever may know
    of one writes what changed of it, wherever it lies.
    """
    seen, changed = accessrows.condition(role.scope, table), accessrows.condition(role.scope, table, owner_only=True)
    name, place = group(code), Identifier(SCHEMA, table)
    if seen != changed:
        yield SQL("CREATE POLICY {} ON {} FOR SELECT TO {} USING ({});").format(
            Identifier(f"{name}_see_"), place, Identifier(name), seen
        )
    yield SQL("CREATE POLICY {name} ON {place} TO {name} USING ({what}) WITH CHECK ({what});").format(
        name=Identifier(name), place=place, what=changed
    )
    fresh = None if role.scope == "all" or "complaint" not in _written(role) else accessrows.fresh(table)
    if fresh is not None:
        yield SQL("CREATE POLICY {} ON {} FOR INSERT TO {} WITH CHECK ({});").format(
            Identifier(f"{name}_new_"), place, Identifier(name), fresh
        )
