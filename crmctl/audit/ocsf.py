"""Entries as events of the Open Cybersecurity Schema Framework (schema.ocsf.io), for a SIEM.

Creating, changing and deleting one object is Entity Management (3004), everything else API Activity (6003). What the
schema has no place for stands in `unmapped`; `raw_data` is the entry itself, so that its leaf can still be computed.

================  ==================================================================================
OCSF              entry
================  ==================================================================================
time              ts, in milliseconds
activity_id       what the act's last word does: 1 create, 2 read, 3 update, 4 delete, 99 other (named)
status_id         result: done and begun 1 (success), refused, denied and failed 2 (failure)
severity_id       1 informational; 2 low for what was denied
actor.user        person, uid, roles as groups
api               act, service crmctl
src_endpoint      host, or "unknown" where an entry names none: the schema wants one
resources,        obj; its content is never told
entity
metadata          number as uid and sequence, run as correlation_uid
================  ==================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import orjson

from crmctl.audit.entries import VERSION

SCHEMA = "1.1.0"
_API, _ENTITY = 6003, 3004
_CLASSES = {
    _API: ("API Activity", 6, "Application Activity"),
    _ENTITY: ("Entity Management", 3, "Identity & Access Management"),
}
_OTHER = 99
_NAMES = {1: "Create", 2: "Read", 3: "Update", 4: "Delete"}
_VERBS = {
    1: ("add", "create", "init", "open", "set", "override"),
    2: ("list", "show", "find", "history", "verify", "export", "explain", "reveal", "status", "review", "check"),
    3: ("update", "deactivate", "assign", "cancel", "rotate", "close", "merge", "tag", "reassign"),
    4: ("delete", "destroy", "purge", "remove"),
}  # fmt: skip
_ACTIVITY = {verb: number for number, verbs in _VERBS.items() for verb in verbs}
_MAPPED = {"act", "actor", "host", "obj", "prev", "result", "run", "seq", "ts", "v"}
_FAILED = ("refused", "denied", "failed")


def event(text: bytes, version: str) -> bytes:
    """Return the event of an entry, given as its exact bytes, as one line of JSON; `version` is the program's."""
    try:
        body = orjson.loads(text)
    except ValueError:
        body = {}
    body = body if isinstance(body, dict) else {}
    act = str(body.get("act", "unknown"))
    activity = _ACTIVITY.get(act.rpartition(".")[2], _OTHER)
    obj = str(body.get("obj", ""))
    kind = _ENTITY if obj and activity in (1, 3, 4) else _API
    name, category, category_name = _CLASSES[kind]
    found: dict[str, Any] = {
        "activity_id": activity,
        "activity_name": _NAMES.get(activity, act),
        "category_uid": category,
        "category_name": category_name,
        "class_uid": kind,
        "class_name": name,
        "type_uid": kind * 100 + activity,
        "type_name": f"{name}: {_NAMES.get(activity, 'Other')}",
        "time": _milliseconds(body.get("ts")),
        "severity_id": 2 if body.get("result") == "denied" else 1,
        **_status(body),
        "actor": _actor(body.get("actor")),
        "api": {"operation": act, "service": {"name": "crmctl"}},
        "src_endpoint": {"hostname": str(body.get("host", "unknown"))},
        "metadata": _metadata(body, version),
        "unmapped": {key: value for key, value in body.items() if key not in _MAPPED},
        "raw_data": text.decode("ascii", "backslashreplace"),
    }
    if obj:
        type_, _colon, number = obj.partition(":")
        found |= (
            {"entity": {"type": type_, "uid": number}}
            if kind == _ENTITY
            else {"resources": [{"type": type_, "uid": number}]}
        )
    return orjson.dumps(found)


def _status(body: Mapping[str, Any]) -> dict[str, Any]:
    result, codes = str(body.get("result", "")), body.get("codes")
    known = 1 if result in ("done", "begun") else 2 if result in _FAILED else 0
    found = {"status_id": known, "status": ("Unknown", "Success", "Failure")[known], "status_code": result}
    if isinstance(codes, list) and codes:
        found["status_detail"] = ", ".join(map(str, codes))
    return found


def _actor(value: object) -> dict[str, Any]:
    actor: Mapping[str, Any] = value if isinstance(value, dict) else {}
    groups = [{"name": str(role)} for role in actor.get("roles", ())]
    user = {"name": str(actor.get("person", "unknown")), "uid": str(actor.get("uid", "")), "groups": groups}
    return {"user": user}


def _metadata(body: Mapping[str, Any], version: str) -> dict[str, Any]:
    found: dict[str, Any] = {
        "version": SCHEMA,
        "product": {"name": "crmctl", "vendor_name": "crmctl", "version": version},
        "log_name": "audit",
        "log_version": str(body.get("v", VERSION)),
        "original_time": str(body.get("ts", "")),
        "uid": str(body.get("seq", "")),
        "sequence": body.get("seq", 0),
    }
    if "run" in body:
        found["correlation_uid"] = f"run:{body['run']}"
    return found


def _milliseconds(text: object) -> int:
    try:
        return int(datetime.fromisoformat(str(text)).timestamp()) * 1000
    except ValueError:
        return 0
