"""Where sets are written: never into the workspace or the key store, never both kinds under one folder.

Whoever gets one folder must not get both: the data and the keys that open them (security.md 2(c)).
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.backups.manifest import DATA, KEYS, Kind
from crmctl.errors import InvalidInput, Refused
from crmctl.files import make_folder, storage_failure, sync_folder
from crmctl.i18n import _

if TYPE_CHECKING:
    from crmctl.workspace import Workspace

SETTINGS = {DATA: "backup_to", KEYS: "backup_keys_to"}


def destination(place: Workspace, kind: Kind, option: Path | None, known: Iterable[Path]) -> Path:
    """Return the real folder that a set of this kind goes to: the option, else what crmctl.yaml names.

    `known` are folders that sets of the other kind lie in. Raises InvalidInput where none is named or it is not there,
    Refused where it is not apart from workspace, key store and the other kind's folders.
    """
    setting = SETTINGS[kind]
    named = place.root / str(place.get(setting) or "") if option is None else option.absolute()
    if option is None and not place.get(setting):
        raise InvalidInput(
            _("nobody has said where backups go"),
            hint=_("name a folder on another disk: --to FOLDER, or {setting} in crmctl.yaml").format(setting=setting),
            code="BACKUP_PLACE_MISSING",
        )
    folder = Path(os.path.realpath(named))
    if not folder.is_dir():
        raise InvalidInput(
            _("{path}: is no folder").format(path=folder), hint=_("mount or make it first"), code="FOLDER_MISSING"
        )
    _apart_from_ours(place, folder)
    other = place.get(SETTINGS[KEYS if kind == DATA else DATA])
    for theirs in [*([place.root / str(other)] if other else []), *known]:
        _apart(folder, Path(os.path.realpath(theirs)))
    return folder


def _apart_from_ours(place: Workspace, folder: Path) -> None:
    ours = [place.root, place.signer, *(Path(text) for text in (place.keys, place.keys_mirror) if _is_folder(text))]
    for each in map(os.path.realpath, ours):
        if folder.is_relative_to(each):
            raise Refused(
                _("{path}: lies in {place}, whose loss would take the backup along").format(path=folder, place=each),
                hint=_("name a folder on another disk, apart from the workspace and its key store"),
                code="BACKUP_NOT_APART",
            )


def _is_folder(text: str) -> bool:
    return bool(text) and "://" not in text


def _apart(folder: Path, theirs: Path) -> None:
    """Raise Refused where one of the two is in the other, or one folder holds both.

    Two media mounted side by side are apart: what holds both is the machine, not a folder that somebody copies.
    """
    inside = folder.is_relative_to(theirs) or theirs.is_relative_to(folder)
    if inside or (folder.parent == theirs.parent and not (_is_mount(folder) and _is_mount(theirs))):
        raise Refused(
            _("{path} and {other}: backups of the data and of the keys would lie together").format(
                path=folder, other=theirs
            ),
            hint=_("whoever finds both reads everybody: use another medium, kept by somebody else"),
            code="BACKUPS_TOGETHER",
        )


def _is_mount(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.stat().st_dev != folder.parent.stat().st_dev
    return False


def same_disk(folder: Path, others: Iterable[Path]) -> bool:
    """Say whether one of `others` lies on the file system of `folder`: one broken disk takes both."""
    device = folder.stat().st_dev
    for other in others:
        with contextlib.suppress(OSError):
            if other.stat().st_dev == device:
                return True
    return False


@contextlib.contextmanager
def building(folder: Path, name: str, instance: str) -> Iterator[Path]:
    """Yield an owner-only folder that becomes `folder`/`name` when the block ends well, and leaves nothing otherwise.

    What a killed run of the same workspace left is removed first; whoever calls this holds the lock `backup`. Raises
    Refused when there is one of this name, StorageFailed when the disk refuses.
    """
    mark = f".crmctl-{instance[:8]}-"
    for leftover in folder.glob(f"{mark}*"):
        shutil.rmtree(leftover, ignore_errors=True)
    target, begun = folder / name, folder / f"{mark}{name}"
    if os.path.lexists(target):
        raise Refused(_("{path}: exists already").format(path=target), code="FILE_EXISTS")
    make_folder(begun)
    try:
        yield begun
        sync_folder(begun)
        begun.rename(target)
        sync_folder(folder)
    except OSError as error:
        raise storage_failure(target, error) from error
    finally:
        shutil.rmtree(begun, ignore_errors=True)
