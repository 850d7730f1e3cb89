"""What `crmctl policy schema` says: what a policy file may contain, for people, for editors, to fill in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from crmctl.cli.render import Column, Table
from crmctl.errors import InvalidInput
from crmctl.i18n import N_, _
from crmctl.policy import schema
from crmctl.policy.header import Header
from crmctl.policy.kinds import BY_NAME, KINDS, Kind
from crmctl.policy.problems import suggest
from crmctl.policy.schema import Row

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

_FIELD = (
    Column("name", N_("Field")),
    Column("type", N_("Type")),
    Column("required", N_("Required")),
    Column("default", N_("Default")),
    Column("meaning", N_("Meaning")),
)


def fields(call: Invocation, kind: str, path: str) -> None:
    """Write the fields of a kind, or of one field of it; without a kind, the kinds and the header of every file."""
    if kind:
        rows = list(schema.rows(_kind(kind).model()))
        chosen = schema.select(rows, schema.plain_name(path)) if path else rows
        if not chosen:
            raise _no_field(kind, path, rows)
        call.emit({"kind": kind}, Table(_FIELD, chosen, key="fields"))
        return
    kinds = [(each.name, _(each.meaning)) for each in KINDS]
    columns = (Column("kind", N_("Kind")), Column("meaning", N_("Meaning")))
    header = list(schema.rows(Header))
    if call.output in ("csv", "xlsx", "ndjson"):
        call.emit({}, Table(columns, kinds, key="kinds"))
        return
    call.emit({}, Table(columns, kinds, key="kinds"), "", Table(_FIELD, header, key="header"))


def schema_of(kind: str) -> str:
    """Return the JSON Schema of a kind, or an object of all of them, in ASCII."""
    kinds = [_kind(kind)] if kind else list(KINDS)
    schemas = {each.name: schema.json_schema(each) for each in kinds}
    return json.dumps(schemas[kind] if kind else schemas, indent=2, ensure_ascii=True)


def template_of(kind: str) -> str:
    """Return a file of a kind to fill in."""
    from crmctl.policy.template import template

    return template(_kind(kind))


def _kind(name: str) -> Kind:
    if name not in BY_NAME:
        message = _("{name}: no such kind of policy").format(name=name)
        raise InvalidInput(message, hint=suggest(name, BY_NAME), code="POLICY_KIND_UNKNOWN")
    return BY_NAME[name]


def _no_field(kind: str, path: str, rows: Sequence[Row]) -> InvalidInput:
    names = [schema.plain_name(row.name) for row in rows]
    return InvalidInput(
        _("{kind} has no field {field}").format(kind=kind, field=path),
        hint=suggest(path, names) or _("see: crmctl policy schema {kind}").format(kind=kind),
        code="POLICY_FIELD_UNKNOWN",
    )
