"""When a customer's contract ends, as its record says: a field of the policy, kept among the attributes."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Table, Text, cast, func, literal_column, type_coerce
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.functions import FunctionElement

FIELD = "contract_end_on"


class _Attribute(FunctionElement[str]):
    """One field of JSON kept as text: `_Attribute(column, "contract_end_on")`; the name is among the clauses too."""

    inherit_cache = True
    type = Text()

    def __init__(self, column: Any, name: str) -> None:  # noqa: ANN401 - any column of text
        super().__init__(type_coerce(column, Text), literal_column(name))
        self.field = name


@compiles(_Attribute, "postgresql")
def _attribute_postgresql(element: _Attribute, compiler: Any, **given: Any) -> str:
    from sqlalchemy.dialects.postgresql import JSONB

    column, _name = element.clauses
    return str(compiler.process(func.jsonb_extract_path_text(cast(column, JSONB), element.field), **given))


@compiles(_Attribute, "sqlite")
def _attribute_sqlite(element: _Attribute, compiler: Any, **given: Any) -> str:
    column, _name = element.clauses
    return str(compiler.process(func.json_extract(column, f"$.{element.field}"), **given))


def end_on(customer: Table) -> FunctionElement[str]:
    """Return the last day of the contract as text (YYYY-MM-DD), null where the record does not say."""
    return _Attribute(customer.c.attributes, FIELD)
