"""Column orders of this room's rows, and the places its envelopes belong to."""

from __future__ import annotations

from crmctl.security.sealing import Place

COMPLAINT = (
    "customer_id", "complaint_id", "number", "status", "category", "severity", "channel", "tier", "customer_type",
    "org_unit", "department", "cause", "first_receiver_id", "handler_id", "about", "received_at", "accepted_at",
    "feedback_due_at", "plan_version", "closing", "closed_at", "reopened", "duplicate_of", "linked_customer_id",
    "terms", "policy", "policy_version", "opened_by", "batch_id", "created_at", "updated_at", "version",
)  # fmt: skip
EVENT = (
    "customer_id", "event_id", "complaint_id", "kind", "at", "person", "staff_id", "data", "run_id", "created_at",
)  # fmt: skip
CLOCK = (
    "customer_id", "clock_id", "complaint_id", "stage", "started_at", "within", "calendar", "due_at", "provisional",
    "told", "pauses", "extended", "level", "stopped_at", "created_at", "updated_at", "version",
)  # fmt: skip
FILE = ("customer_id", "file_id", "complaint_id", "size", "person", "run_id", "created_at")

IN_COMPLAINT = Place("complaint", "sealed")
IN_EVENT = Place("complaint_event", "sealed")
IN_FILE = Place("complaint_file", "sealed")
