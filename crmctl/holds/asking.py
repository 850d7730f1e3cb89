"""What people type about holds → what is to be set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from crmctl import clock
from crmctl.errors import UsageProblem
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.holds.setting import Wish


def wish(given: Mapping[str, Any]) -> Wish:
    """Return what the options of `hold set` ask for. Raises UsageProblem for what does not go together."""
    from crmctl.holds.setting import Wish

    new = given["kind"] or given["authority"] or given["review_on"] or given["everybody"]
    if given["hold"] and new:
        raise UsageProblem(
            _("--hold adds customers to a hold as it is: --kind, --authority, --review-on, --everybody do not apply"),
            hint=_("leave them out, or set a new hold"),
        )
    if not given["hold"] and not given["kind"]:
        raise UsageProblem(_("--kind is missing"), hint=_("or --hold NUMBER, to add to one that there is"))
    return Wish(
        reason=reason(given),
        kind=given["kind"] or "",
        authority=given["authority"] or "",
        review_on=clock.parse_day(given["review_on"], "--review-on") if given["review_on"] else None,
        everybody=given["everybody"],
        to=given["hold"],
    )


def reason(given: Mapping[str, Any]) -> str:
    """Return the reason given. Raises UsageProblem where there is none."""
    text: str | None = given["reason"]
    if not text:
        raise UsageProblem(
            _("--reason is missing"), hint=_("a hold says why it was set, and why it was lifted (DES-07)")
        )
    return text
