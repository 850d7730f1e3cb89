"""The exact text that a decision says, and that an SSH signature is over: canonical, complete, of one approval only.

    crmctl-approval-v1
    {"act":"tier.regrade","approval":7,"decision":"approve","expires_at":"2026-11-24T02:00:00Z", …}

Two lines, ASCII, keys sorted, no spaces. It holds the workspace, the number and the hash of the subject: a signature
for another workspace, approval, plan, person or decision is none for this one.
"""

from __future__ import annotations

import json
from uuid import UUID

from crmctl.approvals.records import Asked
from crmctl.clock import stamp

HEAD = "crmctl-approval-v1"
DECISIONS = ("approve", "reject", "revoke")


def statement(asked: Asked, instance: bytes, person: str, decision: str, for_person: str | None = None) -> str:
    """Return what `person` says by deciding so; `for_person` is for whom, where a deputy decides."""
    told = {
        "act": asked.act,
        "approval": asked.approval_id,
        "decision": decision,
        "expires_at": stamp(asked.expires_at),
        "instance": str(UUID(bytes=instance)),
        "person": person,
        "requested_by": asked.requested_by,
        "rows": asked.rows,
        "subject": asked.subject,
        "subject_hash": asked.subject_hash,
        **({"for": for_person} if for_person else {}),
    }
    return f"{HEAD}\n{json.dumps(told, sort_keys=True, separators=(',', ':'), ensure_ascii=True)}\n"
