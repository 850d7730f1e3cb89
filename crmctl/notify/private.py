"""The owner-only files of channels: addresses of robots, signing secrets, addresses of people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from crmctl.errors import KeyMissing
from crmctl.notify.failures import NotTaken
from crmctl.security.keyfiles import read_private

MOST_SECRET = 4096
MOST_PEOPLE = 4 << 20
EVERYBODY = "*"  # of a file of people: what is for nobody in particular


def secret(root: Path, name: str) -> str:
    """Return the one line of an owner-only file; a name that is no full path lies in the workspace.

    Raises NotTaken (FILE_UNREADABLE) for one that is missing, open to others, a link, empty or of several lines.
    """
    text = _text(root, name, MOST_SECRET).strip()
    if not text or len(text.split()) != 1:
        raise NotTaken("FILE_UNREADABLE", tried=False)
    return text


def people(root: Path, name: str | None) -> Mapping[str, str]:
    """Return what an owner-only file says of each staff number or post: an address, a userid. Raises as `secret`.

    A line is a number or post, spaces, what is said of it; `*` is for nobody in particular, `#` begins a remark.
    """
    if name is None:
        return {}
    found = {}
    for line in _text(root, name, MOST_PEOPLE).splitlines():
        words = line.partition("#")[0].split()
        if len(words) not in (0, 2):
            raise NotTaken("FILE_UNREADABLE", tried=False)
        if words:
            found[words[0]] = words[1]
    return found


def _text(root: Path, name: str, most: int) -> str:
    try:
        data = read_private(root / name, most + 1)
        if len(data) > most:
            raise NotTaken("FILE_UNREADABLE", tried=False)
        return data.decode("utf-8-sig")
    except (KeyMissing, OSError, UnicodeDecodeError):
        raise NotTaken("FILE_UNREADABLE", tried=False) from None
