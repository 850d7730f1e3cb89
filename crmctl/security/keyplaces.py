"""Where a key store is, who gives its master keys, and whether it is ours."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from crmctl.errors import InvalidInput, KeyMissing
from crmctl.i18n import _
from crmctl.security import keysqlite, masters
from crmctl.security.keyfiles import DATABASE, check_folder
from crmctl.security.keyrows import FORMAT, KeyRows, MasterRow, StoreInfo
from crmctl.security.keywrap import master_proof
from crmctl.security.masters import MasterSource

Location = Path | str
Master = MasterSource | Mapping[str, Any] | None


def is_url(location: Location) -> bool:
    """Say whether a key store is named by a URL."""
    return isinstance(location, str) and "://" in location


def is_server(location: Location) -> bool:
    """Say whether a key store is on a database server."""
    return is_url(location) and not str(location).startswith("sqlite")


def file_of(url: str) -> Path:
    """Return the file that a SQLite URL names."""
    return Path(url.partition("://")[2].removeprefix("/"))


def open_rows(location: Location) -> KeyRows:
    """Return the database of keys at a location. Raises KeyMissing."""
    if is_server(location):
        from crmctl.security.keyserver import ServerKeys

        return ServerKeys(str(location))
    if is_url(location):
        return keysqlite.SqliteKeys(file_of(str(location)))
    check_folder(Path(location))
    return keysqlite.SqliteKeys(Path(location) / DATABASE)


def source_of(location: Location, master: Master) -> MasterSource:
    """Return who gives the master keys of a store. Raises InvalidInput for a URL without one."""
    if isinstance(master, MasterSource):
        return master
    if master is not None:
        return masters.source_from(master)
    if not is_url(location):
        return masters.in_folder(Path(location))
    raise InvalidInput(
        _("a key store with a URL needs to know who gives its master key"),
        hint=_("set `master_key` in crmctl.yaml: {example}").format(
            example="{provider: file, path: /…/master-{epoch}.key}"
        ),
        code="MASTER_CONFIG_MISSING",
    )


def checked_master(source: MasterSource, row: MasterRow, instance: bytes) -> bytes:
    """Return the master key of an epoch, proven to be the one. Raises KeyMissing."""
    try:
        key = masters.read(source, row.epoch)
    except KeyMissing as error:
        raise KeyMissing(
            _("master key {epoch} of workspace {instance}: {reason}").format(
                epoch=row.epoch, instance=shown(instance), reason=error.message
            ),
            hint=error.hint,
            code=error.code,
        ) from None
    if master_proof(key, instance, row.epoch) != row.proof:
        raise KeyMissing(
            _("master key {epoch} of workspace {instance}: is not the one these keys are wrapped under").format(
                epoch=row.epoch, instance=shown(instance)
            ),
            hint=_("restore it from the copy made by `crmctl keys copy`"),
            code="KEY_WRONG",
        )
    return key


def check_info(location: str, info: StoreInfo, instance: bytes) -> None:
    """Raise KeyMissing unless a store is of this format and of this workspace."""
    if info.format != FORMAT:
        raise KeyMissing(
            _("{location}: is a key store of format {format}, this program reads {known}").format(
                location=location, format=info.format, known=FORMAT
            ),
            hint=_("use the program version that wrote it"),
            code="KEYSTORE_FORMAT",
        )
    if info.instance != instance:
        raise KeyMissing(
            _("{location}: belongs to workspace {theirs}, this one is {ours}").format(
                location=location, theirs=shown(info.instance), ours=shown(instance)
            ),
            hint=_("correct `keys` in crmctl.yaml"),
            code="INSTANCE_WRONG",
        )


def shown(instance: bytes) -> str:
    """Return the number of a workspace as people see it."""
    return str(UUID(bytes=instance)) if len(instance) == 16 else "?"
