"""What must be known before click parses: the language of help and errors, the form of errors, the workspace.

This reading is forgiving and decides nothing else; click's own parse remains the authority.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from crmctl.i18n import from_environment

WORKSPACE_FILE = "crmctl.yaml"
_LONG = {"--lang": "lang", "--output": "output", "--workspace": "workspace"}
_SHORT = {"o": "output", "w": "workspace"}
_SHORT_FLAGS = "nqvh"
_READ_LIMIT = 65536


class Early:
    """The last value each option is given with, or ''."""

    __slots__ = ("lang", "output", "workspace")

    def __init__(self, lang: str = "", output: str = "", workspace: str = "") -> None:
        self.lang = lang
        self.output = output
        self.workspace = workspace

    @property
    def as_json(self) -> bool:
        """Say whether failures are JSON objects."""
        return self.output in ("json", "ndjson")


def scan(arguments: Sequence[str]) -> Early:
    """Return the early options of a command line; never fails."""
    found: dict[str, str] = {}
    position = 0
    while position < len(arguments):
        word = arguments[position]
        position += 1
        if word == "--":
            break
        name, value = _split(word)
        if not name:
            continue
        if value is None:
            value = arguments[position] if position < len(arguments) else ""
            position += 1
        found[name] = value
    return Early(**found)


def _split(word: str) -> tuple[str, str | None]:
    """Return (option, value attached to it or None when it is the next word) or ('', None)."""
    if word.startswith("--"):
        flag, equals, value = word.partition("=")
        return _LONG.get(flag, ""), value if equals else None
    if not word.startswith("-"):
        return "", None
    for index, letter in enumerate(word[1:], start=1):
        if letter in _SHORT:
            return _SHORT[letter], word[index + 1 :] or None
        if letter not in _SHORT_FLAGS:
            break
    return "", None


def workspace(early: Early, environ: Mapping[str, str], folder: str) -> str:
    """Return the workspace's folder: -w, CRMCTL_WORKSPACE, else upwards from `folder`; '' where there is none."""
    named = early.workspace or environ.get("CRMCTL_WORKSPACE", "")
    if named:
        return named
    while True:
        if os.path.exists(os.path.join(folder, WORKSPACE_FILE)):  # noqa: PTH110, PTH118 - pathlib costs 4 ms at start
            return folder
        parent = os.path.dirname(folder)  # noqa: PTH120
        if parent == folder:
            return ""
        folder = parent


def language(early: Early, environ: Mapping[str, str], folder: str) -> str:
    """Return "zh" or "en": --lang, CRMCTL_LANG, the workspace's `lang`, then the locale; else English.

    `folder` is the workspace's, or ''.
    """
    value = early.lang or environ.get("CRMCTL_LANG", "")
    if value:
        return "zh" if value.lower().startswith("zh") else "en"
    return (workspace_language(folder) if folder else "") or from_environment(environ)


def workspace_language(folder: str) -> str:
    """Return the `lang:` line of a workspace's configuration, or ''; YAML is not loaded for one word."""
    path = os.path.join(folder, WORKSPACE_FILE)  # noqa: PTH118
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY)
    except OSError:
        return ""
    try:
        text = os.read(handle, _READ_LIMIT)
    except OSError:
        return ""
    finally:
        os.close(handle)
    for line in text.split(b"\n"):
        if line.startswith(b"lang:"):
            value = line[5:].split(b"#")[0].strip().strip(b"\"'")
            return {b"zh": "zh", b"en": "en"}.get(value, "")
    return ""
