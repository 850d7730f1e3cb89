"""The part of a set that is not in the database: settings and policies of the workspace, packed and unpacked.

What says where the database is, with perhaps a password in it, stays out: a restored workspace has another one.
"""

from __future__ import annotations

import io
import json
import re
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from crmctl import workspace
from crmctl.audit.checkpoints import PUBLISHED
from crmctl.backups.manifest import broken
from crmctl.files import OWNER_FILE
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.workspace import Workspace

SETTINGS = "settings.json"
_OTHERS = frozenset({"database", "database_password_file", "signer"})
_FOLDERS = ("backup_to", "backup_keys_to")
_NAME = re.compile(r"(?:policies/(?:[\w][\w.-]*/)*[\w][\w.-]*\.(?:yaml|json)|signer\.vkey)\Z")
_MOST_FILES, _MOST_BYTES = 5_000, 64 << 20


@dataclass(frozen=True)
class Configuration:
    """What was in force: settings of crmctl.yaml with full paths, and files below the workspace by their names."""

    settings: dict[str, Any]
    files: dict[str, bytes]


def pack(place: Workspace) -> bytes:
    """Return the configuration as a compressed tar file."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz", format=tarfile.PAX_FORMAT) as archive:
        text = json.dumps(_settings(place), sort_keys=True, indent=1) + "\n"
        _add(archive, SETTINGS, text.encode())
        for name, data in _files(place.root):
            _add(archive, name, data)
    return packed.getvalue()


def _settings(place: Workspace) -> dict[str, Any]:
    """Return what crmctl.yaml says: paths in full, addresses of key stores without their passwords."""
    found = {name: value.value for name, value in place.values.items() if value.source == workspace.FILE}
    found = {name: value for name, value in found.items() if name not in _OTHERS}
    stores = {"keys": place.keys, **({"keys_mirror": place.keys_mirror} if place.keys_mirror else {})}
    found |= {name: workspace.masked(text) for name, text in stores.items()}
    for name in (*_FOLDERS, "backup_recipients"):
        if isinstance(found.get(name), str) and found[name]:
            found[name] = str((place.root / found[name]).absolute())
    master = found.get("master_key")
    if isinstance(master, dict) and isinstance(master.get("path"), str):
        found["master_key"] = {**master, "path": str((place.root / master["path"]).absolute())}
    return found


def _files(root: Path) -> Iterator[tuple[str, bytes]]:
    paths = [path for path in sorted((root / "policies").rglob("*")) if path.is_file() and not path.is_symlink()]
    for path in (*paths, root / PUBLISHED):
        name = path.relative_to(root).as_posix()
        if _NAME.match(name) and path.is_file():
            yield name, path.read_bytes()


def _add(archive: tarfile.TarFile, name: str, data: bytes) -> None:
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(data), OWNER_FILE
    archive.addfile(member, io.BytesIO(data))


def unpack(data: bytes, where: str) -> Configuration:
    """Return a packed configuration; nothing is written. Raises IntegrityFailed for what `pack` did not make."""
    files: dict[str, bytes] = {}
    settings: Any = None
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            for member in archive:
                stream = archive.extractfile(member) if member.isfile() else None
                if stream is None or member.size > _MOST_BYTES or len(files) > _MOST_FILES:
                    raise ValueError(member.name)
                if member.name == SETTINGS:
                    settings = json.loads(stream.read())
                elif _NAME.match(member.name) and ".." not in member.name:
                    files[member.name] = stream.read()
                else:
                    raise ValueError(member.name)
    except (tarfile.TarError, ValueError, OSError, EOFError):
        settings = None
    known = {setting.name for setting in workspace.SETTINGS}
    if not isinstance(settings, dict) or not set(settings) <= known:
        raise broken(where, _("its configuration cannot be read"))
    return Configuration(settings, files)
