"""Codes of the use policy as people type them: purposes, manners, recipients, results; and what is refused (USE-05)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TypeVar, cast

from crmctl.errors import InvalidInput, PermissionMissing
from crmctl.i18n import N_, _, pick
from crmctl.policy.model import CodeItem, folded, spellings
from crmctl.policy.problems import suggest
from crmctl.runs import denials
from crmctl.store import engine
from crmctl.use.policy import PaperMethod, Purpose, Recipient, UseSettings

if TYPE_CHECKING:
    from crmctl.policy import PolicySet
    from crmctl.runs.run import Run

_TICKET = re.compile(r"[A-Z]{2,10}-[0-9]{1,10}(?:-[0-9]{1,9})?", re.ASCII)  # CRM-4711, CMP-20261121-0007
Item = TypeVar("Item", bound=CodeItem)
KINDS = {
    "purposes": N_("purpose"),
    "manners": N_("manner"),
    "recipients": N_("recipient"),
    "results": N_("result"),
    "paper_kinds": N_("kind of paper"),
    "paper_methods": N_("method"),
}


def settings_of(policies: PolicySet) -> UseSettings:
    """Return the use policy. Raises InvalidInput when the workspace has none: nothing may be used then."""
    return cast("UseSettings", policies.settings("use"))


def purpose(policies: PolicySet, code: str) -> Purpose:
    """Return the purpose that `code` (code, label or synonym) names.

    Raises InvalidInput for an unknown one, PermissionMissing (PURPOSE_FORBIDDEN) for a forbidden one (USE-05).
    """
    found = _find(settings_of(policies).purposes, "purposes", code)
    if found.allowed:
        return found
    clauses = ", ".join(map(str, found.source)) or "-"
    raise PermissionMissing(
        _("{purpose}: customer information is not used for this; clause: {clause}").format(
            purpose=named(found), clause=clauses
        ),
        hint=_("what it may be used for: {codes}").format(
            codes=", ".join(item.code for item in settings_of(policies).purposes if item.allowed)
        ),
        code="PURPOSE_FORBIDDEN",
        details={"purpose": found.code},
    )


def recipient(policies: PolicySet, code: str) -> Recipient:
    """Return the recipient that `code` names; who may not get anything is refused (ACC-06).

    Raises InvalidInput for an unknown one, PermissionMissing (RECIPIENT_OUTSIDE) for a third party that the policy
    gives nothing, not even with approval.
    """
    found = _find(settings_of(policies).recipients, "recipients", code)
    if found.outside and not found.with_approval:
        raise outside(found, ", ".join(map(str, found.source)))
    return found


def outside(recipient: Recipient, clause: str = "") -> PermissionMissing:
    """Return the refusal to give anything to a third party (ACC-06)."""
    return PermissionMissing(
        _("{recipient}: is outside the company, and nothing is given to third parties; clause: {clause}").format(
            recipient=named(recipient), clause=clause or "-"
        ),
        hint=_("policies/use.yaml says who may be given information with approval, policies/access.yaml who approves"),
        code="RECIPIENT_OUTSIDE",
        details={"recipient": recipient.code},
    )


def manner(policies: PolicySet, code: str) -> CodeItem:
    """Return the manner of use that `code` names. Raises InvalidInput for an unknown one."""
    return _find(settings_of(policies).manners, "manners", code)


def result(policies: PolicySet, code: str) -> CodeItem:
    """Return the result of a use that `code` names. Raises InvalidInput for an unknown one."""
    return _find(settings_of(policies).results, "results", code)


def paper_kind(policies: PolicySet, code: str) -> CodeItem:
    """Return the kind of paper that `code` names. Raises InvalidInput for an unknown one."""
    return _find(settings_of(policies).paper_kinds, "paper_kinds", code)


def paper_method(policies: PolicySet, code: str) -> PaperMethod:
    """Return the way of destroying paper that `code` names. Raises InvalidInput for an unknown one."""
    return _find(settings_of(policies).paper_methods, "paper_methods", code)


def evaluated_every(policies: PolicySet) -> int | None:
    """Return the months after which use is evaluated (USE-03); None while the company has not decided."""
    figure = settings_of(policies).evaluated_every
    months = None if figure is None else policies.figure(figure)
    return None if months is None else int(months)


def named(item: CodeItem) -> str:
    """Return what people call a code, in the reader's language."""
    labels: Mapping[Any, str] = item.labels
    return pick(labels, item.code)


def label(policies: PolicySet, kind: str, code: str | None) -> str:
    """Return what people call a code of one of the lists (`KINDS`); the code where it is no more."""
    items: Sequence[CodeItem] = getattr(settings_of(policies), kind)
    return next((named(item) for item in items if item.code == code), code or "")


def ticket_of(purpose: Purpose, text: str) -> str | None:
    """Return the ticket, None where none was given. Raises InvalidInput for a wrong form, or where one is needed."""
    if not text:
        if purpose.ticket:
            raise InvalidInput(
                _("purpose {purpose}: a ticket is needed").format(purpose=purpose.code),
                hint=_("add --ticket, as in --ticket CRM-4711"),
                code="TICKET_MISSING",
            )
        return None
    return formed(text)


def formed(text: str) -> str:
    """Return a ticket. Raises InvalidInput for what has not the form of one."""
    if not _TICKET.fullmatch(text):
        raise InvalidInput(
            _("--ticket: not the number of a ticket"), hint=_("write it as CRM-4711"), code="TICKET_INVALID"
        )
    return text


@contextmanager
def denials_logged(run: Run, act: str, **fields: Any) -> Iterator[None]:
    """Log what the block refuses for want of permission, with these entry fields; the refusal goes on (ACC-07).

    Where even that cannot be written, the failure to write is what is raised: an attempt nobody learns of is worse.
    """
    try:
        yield
    except PermissionMissing as refusal:
        if not refusal.noted:
            with engine.write(run.engine) as conn:
                told = {name: code for name, code in refusal.details.items() if name in ("purpose", "recipient")}
                denials.note(conn, run, refusal, act=act, **(fields | told))
            refusal.noted = True
        raise


def _find(items: Sequence[Item], kind: str, text: str) -> Item:
    code = spellings(items).get(folded(text))
    for item in items:
        if item.code == code:
            return item
    codes = [item.code for item in items if not isinstance(item, Purpose) or item.allowed]
    raise InvalidInput(
        _("{text}: no such {field}").format(text=text[:40], field=_(KINDS[kind])),
        hint=suggest(text, codes) or _("one of: {codes}").format(codes=", ".join(codes) or "-"),
        code=f"{kind.removesuffix('s').upper()}_UNKNOWN",
    )
