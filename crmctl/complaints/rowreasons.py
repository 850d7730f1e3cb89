"""Why a row of a sheet of complaints was rejected, besides what may be wrong with any table."""

from __future__ import annotations

from collections.abc import Mapping

from crmctl.customers.meant import REASONS as MEANT
from crmctl.i18n import N_

CLOSED_IN_FILE = "CLOSED_IN_FILE"
NUMBER_NEEDED = "NUMBER_NEEDED"
NUMBER_TAKEN = "NUMBER_TAKEN"
STAFF_UNKNOWN = "STAFF_UNKNOWN"
STAFF_AMBIGUOUS = "STAFF_AMBIGUOUS"
NOT_IN_POST = "NOT_IN_POST"
# What is refused of a single complaint and is then a row's own fault: the field it is about.
FAULTS: Mapping[str, str] = {
    "CHANNEL_UNKNOWN": "channel",
    "CATEGORY_UNKNOWN": "category",
    "SEVERITY_UNKNOWN": "severity",
    "AT_FUTURE": "received_at",
    "AT_TOO_EARLY": "received_at",
}

REASONS: Mapping[str, tuple[str, str]] = {
    **MEANT,
    CLOSED_IN_FILE: (
        N_("the row says that the complaint is closed; only open ones are imported"),
        N_("keep closed ones where they are; to take one up again, leave state and time of closing empty"),
    ),
    NUMBER_NEEDED: (
        N_("nobody knows whose complaint it is, and the row has no number by which it would be known again"),
        N_("give the number that the complaint has in the system it comes from, or its customer"),
    ),
    NUMBER_TAKEN: (
        N_("another complaint, received at another time, has this number"),
        N_("correct the number or the time; --source keeps numbers of different systems apart"),
    ),
    STAFF_UNKNOWN: (
        N_("{field}: nobody on the staff register is meant by this"),
        N_("write number, account or full name; several are parted by ;"),
    ),
    STAFF_AMBIGUOUS: (N_("{field}: several people have this name"), N_("write the staff number")),
    NOT_IN_POST: (
        N_("{field}: is not in post"),
        N_("leave it empty, or name whoever handles it now"),
    ),
    "CHANNEL_UNKNOWN": (N_("{field}: there is no such channel"), N_("company.yaml lists the channels")),
    "CATEGORY_UNKNOWN": (
        N_("{field}: there is no such category"),
        N_("the complaints policy lists categories with their synonyms"),
    ),
    "SEVERITY_UNKNOWN": (
        N_("{field}: there is no such severity"),
        N_("the complaints policy lists severities with their synonyms"),
    ),
    "AT_FUTURE": (N_("{field} lies in the future"), N_("correct the time")),
    "AT_TOO_EARLY": (
        N_("{field}: what is so long ago is not entered any more"),
        N_("for an old sheet that moves here: --migrated; policies/complaints.yaml: back_date"),
    ),
}
