"""Reasons of this room in words: why a change is refused, why somebody may not own customers."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.i18n import N_

# Of a row of a file, and of a field given on the command line; besides those of `sheets.reasons`.
REASONS: Mapping[str, tuple[str, str]] = {
    "UIDS_INVALID": (N_("{field} is not a list of account numbers"), N_("as in 1001, 1002")),
    "NUMBER_TAKEN": (
        N_("this staff number belongs to somebody else"),
        N_("change that person with: crmctl staff update"),
    ),
    "HR_ID_TAKEN": (N_("this number of the personnel system belongs to somebody else"), N_("correct one of the two")),
    "WECOM_ID_TAKEN": (N_("this WeCom account belongs to somebody else"), N_("correct one of the two")),
    "DINGTALK_ID_TAKEN": (N_("this DingTalk account belongs to somebody else"), N_("correct one of the two")),
    "UID_TAKEN": (N_("an account of the operating system belongs to one person"), N_("correct one of the two")),
    "LEFT_BEFORE_JOINED": (N_("the day of leaving lies before the day of joining"), N_("correct one of them")),
    "NO_MATCH": (N_("nobody has this staff number"), N_("import with --mode upsert, or add the person first")),
}
# Why somebody cannot be away, or stand in; {numbers} are staff numbers.
ABSENCES: Mapping[str, tuple[str, str]] = {
    "ABSENCE_BACKWARDS": (N_("the last day lies before the first"), N_("correct --from or --until")),
    "ABSENT_INACTIVE": (N_("{numbers} is not in post on all these days"), N_("see: crmctl staff show")),
    "ABSENCE_OVERLAP": (
        N_("{numbers} is away on some of these days already"),
        N_("cancel that absence first: crmctl staff absence cancel"),
    ),
    "STANDS_IN": (
        N_("on some of these days the person stands in for {numbers}, and a deputy passes nothing on"),
        N_("give that person another deputy first"),
    ),
    "DEPUTY_SELF": (N_("a deputy is another person"), N_("name somebody else")),
    "DEPUTY_INACTIVE": (N_("deputy {numbers} is not in post on all these days"), N_("name somebody else")),
    "DEPUTY_ABSENT": (N_("deputy {numbers} is away on some of these days"), N_("name somebody who is there")),
}
PROBLEMS: Mapping[str, str] = {
    "INACTIVE": N_("not in post"),
    "UNTRAINED": N_("training before the post not passed"),
    "TRAINING_EXPIRED": N_("training passed too long ago"),
    "UNSIGNED": N_("confidentiality undertaking not signed"),
    "ABSENT": N_("away without a deputy"),
}
