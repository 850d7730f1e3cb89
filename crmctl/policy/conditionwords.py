"""Conditions, facts and near misses in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from crmctl.i18n import N_, _
from crmctl.policy.conditions import Compare, Operand
from crmctl.policy.coverage import OTHER
from crmctl.policy.evaluate import Facts, Near
from crmctl.policy.metrics import Left, Value

_SIGNS: Mapping[str, str] = {"eq": "=", "ne": "≠", "gt": ">", "gte": "≥", "lt": "<", "lte": "≤"}
_LISTS: Mapping[str, str] = {
    "in": N_("{left} is one of: {operands}"),
    "not_in": N_("{left} is none of: {operands}"),
}


def _as_it_is(what: str, code: str) -> str:
    return code


@dataclass(frozen=True, slots=True)
class Words:
    """How things are told: amounts in the home currency with its decimals, codes by the label `label(what, code)`."""

    decimals: int
    currency: str = ""
    label: Callable[[str, str], str] = _as_it_is

    def value(self, left: Left, value: Value | Operand) -> str:
        """Return a fact or a bound operand: `12,000.00 yuan`, `30 days`, a code's label; `unknown` for None."""
        metric = left.metric
        if value is None:
            return _("unknown")
        if value == OTHER:
            return _("any other")
        if isinstance(value, bool):
            return _("yes") if value else _("no")
        if isinstance(value, int):
            if metric.type == "money":
                return self._money(grouped(value, self.decimals))
            number = grouped(value, metric.places)
            return _(metric.unit).format(count=number) if metric.unit else number
        return self.label(metric.what or metric.name, str(value)) if metric.type == "code" else str(value)

    def comparison(self, compare: Compare) -> str:
        """Return one bound comparison: `annual amount ≥ 1,000,000.00 yuan`."""
        left, name = compare.left, compare.left.words
        told = [self.value(left, operand) for operand in compare.operands]
        if compare.operator in _SIGNS:
            return f"{name} {_SIGNS[compare.operator]} {told[0]}"
        if compare.operator == "exists":
            return (_("{left} is known") if compare.operands[0] else _("{left} is unknown")).format(left=name)
        if compare.operator == "between":
            return _("{left} from {least} to {most}").format(left=name, least=told[0], most=told[1])
        return _(_LISTS[compare.operator]).format(left=name, operands=", ".join(told))

    def near(self, near: Near) -> str:
        """Return what stands in the way, and by how much: `annual amount ≥ 20,000.00 yuan: short by 8,000.00 yuan`."""
        told = self.comparison(near.compare)
        if not near.wanted:
            told = _("not: {comparison}").format(comparison=told)
        if near.distance is None:
            found = self.value(near.compare.left, near.value)
            return _("{comparison}: is {value}").format(comparison=told, value=found)
        away = self.value(near.compare.left, abs(near.distance))
        if near.distance > 0:
            return _("{comparison}: short by {distance}").format(comparison=told, distance=away)
        return _("{comparison}: over by {distance}").format(comparison=told, distance=away)

    def facts(self, facts: Facts) -> str:
        """Return facts, or a point of `coverage`, in one line: `annual amount: 500.00 yuan; tier: unknown`."""
        if not facts:
            return _("everything")
        return _("; ").join(
            _("{left}: {value}").format(left=left.words, value=self.value(left, value)) for left, value in facts.items()
        )

    def _money(self, amount: str) -> str:
        if self.currency == "CNY":
            return _("{amount} yuan").format(amount=amount)
        return f"{amount} {self.currency}".rstrip()


def grouped(number: int, places: int) -> str:
    """Return a number of smallest units in whole ones: 1234567 with 2 places is 12,345.67."""
    whole, part = divmod(abs(number), 10**places)
    return ("-" if number < 0 else "") + f"{whole:,}" + (f".{part:0{places}d}" if places else "")
