"""Which workspace belongs to which service account: files that only root writes and everybody reads.

    # /etc/crmctl/crm.yaml
    workspace: /srv/crm/ws
    service: crmctl
    python: /opt/crmctl/bin/python

The front runs what it reads here through sudo, so a file that anybody but root could have written is not believed.
"""

from __future__ import annotations

import os
import pwd
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from crmctl.errors import InvalidInput
from crmctl.i18n import _, reason

SUDO = "/usr/bin/sudo"
_KEYS = ("workspace", "service", "python", "sudo")
_OTHERS_WRITE = 0o022


@dataclass(frozen=True, slots=True)
class Entry:
    """One workspace in broker mode: its folder, its account, the interpreter that has crmctl, where sudo is."""

    workspace: str
    service: str
    uid: int
    python: str
    sudo: str = SUDO

    def command(self, argument: str) -> list[str]:
        """Return the command line that sudoers allows, word by word."""
        return [self.sudo, "-n", "-u", self.service, "--", self.python, "-I", "-m", "crmctl", argument]


def read(folder: str, owner: int = 0) -> tuple[Entry, ...]:
    """Return what is registered; `owner` is the uid whose files are believed.

    Raises InvalidInput for a file that somebody else could have written, or that is not what it should be.
    """
    place = Path(folder)
    try:
        _believable(place, place.lstat(), owner, stat.S_ISDIR)
        found = sorted(path for path in place.iterdir() if path.suffix == ".yaml" and not path.name.startswith("."))
    except OSError as error:
        raise _unreadable(place, error) from None
    return tuple(_entry(path, owner) for path in found)


def find(entries: Sequence[Entry], named: str) -> Entry | None:
    """Return the registration of the workspace at `named`, else of the one that the current folder lies in."""
    try:
        start = Path(os.path.realpath(named or "."))
    except OSError:  # the current folder was removed under us
        return None
    for folder in (start,) if named else (start, *start.parents):
        for entry in entries:
            if entry.workspace == str(folder):
                return entry
    return None


def _entry(path: Path, owner: int) -> Entry:
    from crmctl.policy.loader import read_mapping

    try:
        _believable(path, path.lstat(), owner, stat.S_ISREG)
    except OSError as error:
        raise _unreadable(path, error) from None
    content = read_mapping(path)
    unknown = sorted(set(content) - set(_KEYS))
    missing = [key for key in _KEYS[:3] if content.get(key) in (None, "")]
    if unknown or missing:
        raise _wrong(path, _("wanted: workspace, service, python, and sudo where it is not {sudo}").format(sudo=SUDO))
    folders = [str(content[key]) for key in ("workspace", "python")] + [str(content.get("sudo") or SUDO)]
    if not all(Path(name).is_absolute() for name in folders):
        raise _wrong(path, _("workspace, python and sudo are absolute paths"))
    service = str(content["service"])
    uid = _uid(service)
    if uid is None or uid == 0:
        raise _wrong(path, _("service is an account of this machine, and not root"))
    spelled = f"#{service}" if service.isdigit() else service
    return Entry(os.path.realpath(folders[0]), spelled, uid, folders[1], folders[2])


def _uid(service: str) -> int | None:
    if service.isascii() and service.isdigit():
        return int(service)
    try:
        return pwd.getpwnam(service).pw_uid
    except KeyError:
        return None


def _believable(path: Path, found: os.stat_result, owner: int, kind: Callable[[int], bool]) -> None:
    if kind(found.st_mode) and found.st_uid == owner and not found.st_mode & _OTHERS_WRITE:
        return
    raise InvalidInput(
        _("{path}: is not believed: others than root could have written it").format(path=path),
        hint=_("chown root and chmod go-w {path}; no symbolic links").format(path=path),
        code="REGISTRY_OPEN",
    )


def _unreadable(path: Path, error: OSError) -> InvalidInput:
    message = _("{path}: cannot be read: {reason}").format(path=path, reason=reason(error))
    return InvalidInput(message, hint=_("it must be readable for everybody"), code="REGISTRY_INVALID")


def _wrong(path: Path, hint: str) -> InvalidInput:
    message = _("{path}: does not register a workspace").format(path=path)
    return InvalidInput(message, hint=hint, code="REGISTRY_INVALID")


def accounts(entries: Iterable[Entry]) -> str:
    """Return the workspaces of some registrations, for a message."""
    return ", ".join(sorted(entry.workspace for entry in entries)) or "-"
