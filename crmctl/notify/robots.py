"""Messages to the robots of WeCom and DingTalk groups: text, with whoever is mentioned by userid."""

from __future__ import annotations

import base64
import hmac
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

from crmctl.notify import posting, private
from crmctl.notify.digest import Digest
from crmctl.notify.policy import Channel

MOST_BYTES = {"wecom": 2048, "dingtalk": 18_000}  # of a text message; WeCom cuts off the rest, DingTalk refuses it


def send(channel: Channel, digest: Digest, root: Path, at: datetime, seconds: float) -> None:
    """Post a digest to the robot of a group. Raises NotTaken."""
    url = private.secret(root, channel.webhook_file or "")
    known = private.people(root, channel.people_file)
    mentioned = [known[name] for name in digest.named if name in known]
    if channel.by == "wecom":
        body = wecom(digest, mentioned)
    else:
        body = dingtalk(digest, mentioned)
        if channel.secret_file is not None:
            url = signed(url, private.secret(root, channel.secret_file), at)
    posting.post(url, body, seconds)


def wecom(digest: Digest, mentioned: list[str]) -> Mapping[str, Any]:
    """Return the body for the robot of a WeCom group."""
    text: dict[str, Any] = {"content": digest.text(MOST_BYTES["wecom"])}
    if mentioned:
        text["mentioned_list"] = mentioned
    return {"msgtype": "text", "text": text}


def dingtalk(digest: Digest, mentioned: list[str]) -> Mapping[str, Any]:
    """Return the body for the robot of a DingTalk group; there the text itself names whom it calls."""
    calls = "\n" + " ".join(f"@{userid}" for userid in mentioned) if mentioned else ""
    body: dict[str, Any] = {"msgtype": "text", "text": {"content": digest.text(MOST_BYTES["dingtalk"], calls)}}
    if mentioned:
        body["at"] = {"atUserIds": mentioned, "isAtAll": False}
    return body


def signed(url: str, secret: str, at: datetime) -> str:
    """Return the address with the signature DingTalk wants: HMAC-SHA256 over milliseconds and secret."""
    milliseconds = int(at.timestamp() * 1000)
    proof = hmac.new(secret.encode(), f"{milliseconds}\n{secret}".encode(), sha256).digest()
    joint = "&" if "?" in url else "?"
    return f"{url}{joint}timestamp={milliseconds}&sign={quote_plus(base64.b64encode(proof))}"
