"""A policy as people read it: settings as a list of path and value, in the reader's language."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from crmctl.i18n import _, pick
from crmctl.policy.model import folded, spellings
from crmctl.policy.policyset import Policy, PolicySet

LABELS = ({"zh"}, {"en"}, {"zh", "en"})


def header(policy: Policy) -> dict[str, Any]:
    """Return what a policy says about itself, as JSON."""
    effective = policy.effective
    return {
        "kind": policy.kind,
        "name": policy.name,
        "version": policy.version,
        "mode": policy.mode,
        "owner": policy.owner,
        "scope": policy.scope.model_dump(mode="json", exclude_defaults=True),
        "effective_from": effective.from_.isoformat() if effective.from_ else None,
        "effective_until": effective.until.isoformat() if effective.until else None,
        "file": policy.path,
        "hash": policy.hash,
    }


def document(policy: Policy) -> dict[str, Any]:
    """Return a whole policy as JSON."""
    exemptions = [exemption.model_dump(mode="json") for exemption in policy.exceptions]
    return {
        **header(policy),
        "description": policy.description,
        "limits": policy.limits.model_dump(mode="json", exclude_none=True),
        "exceptions": exemptions,
        "settings": policy.settings.model_dump(mode="json", by_alias=True, exclude_none=True),
    }


def owners(policies: PolicySet) -> dict[str, str]:
    """Return the label of each policy's owner, by the name its file uses."""
    posts = policies.company.posts
    codes, labels = spellings(posts), {post.code: post.labels for post in posts}
    named = {policy.owner: labels.get(codes.get(folded(policy.owner), "")) for policy in policies.policies}
    return {owner: pick(dict(label.items())) if label else owner for owner, label in named.items()}


def title(policy: Policy, owner: str) -> str:
    """Return a policy's head line; `owner` as people call the post."""
    told = policy.description
    about = pick(dict(told.items())) if isinstance(told, dict) else told or policy.name
    return _("{kind} {name}, version {version}: {about} ({mode}; owner: {owner}; {file})").format(
        kind=policy.kind,
        name=policy.name,
        version=policy.version,
        about=about,
        mode=policy.mode,
        owner=owner,
        file=policy.path,
    )


def lines(value: Any, path: str = "") -> Iterator[tuple[str, str]]:  # noqa: ANN401  any JSON value
    """Yield every setting as path and text; items of lists go by their code, labels by the reader's language."""
    if isinstance(value, Mapping):
        if set(value) in LABELS:
            yield path, pick(dict(value))
            return
        for name, item in value.items():
            if not (name == "code" and path.endswith(f"[{item}]")):
                yield from lines(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list):
        if all(not isinstance(item, Mapping | list) for item in value):
            if value:
                yield path, ", ".join(map(_text, value))
            return
        for position, item in enumerate(value):
            name = item.get("code", position) if isinstance(item, Mapping) else position
            yield from lines(item, f"{path}[{name}]")
    else:
        yield path, _text(value)


def _text(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
