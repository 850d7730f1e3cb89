"""Column orders of bulk rows, and which fields of the policy have a column of their own."""

from __future__ import annotations

STAFF = (
    "staff_id", "number", "name", "state", "post", "level", "department", "org_unit", "region", "capacity",
    "languages", "hr_id", "wecom_id", "dingtalk_id", "uids", "trained_on", "signed_on", "joined_on", "left_on",
    "attributes", "batch_id", "created_at", "updated_at", "version",
)  # fmt: skip
ABSENCE = (
    "absence_id", "staff_id", "from_on", "until_on", "deputy_id", "cancelled_at", "created_at", "updated_at", "version",
)  # fmt: skip
# What people fill in; other fields of the policy are kept in `attributes`.
FIELDS = (
    "number", "name", "post", "level", "department", "org_unit", "region", "capacity", "languages", "hr_id",
    "wecom_id", "dingtalk_id", "uids", "trained_on", "signed_on", "joined_on", "left_on",
)  # fmt: skip
DAYS = ("trained_on", "signed_on", "joined_on", "left_on")
