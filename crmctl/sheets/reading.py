"""A table to be read by whichever process does it: opened, checked to be the same, cut into blocks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from crmctl import files
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.sheets import source

if TYPE_CHECKING:
    from crmctl.policy.model import CodeItem
    from crmctl.security.sealing import DataKey, Sealer
    from crmctl.sheets.policy import SheetSettings
    from crmctl.sheets.sourceinfo import SourceInfo, SourceOptions


@dataclass(frozen=True)
class Place:
    """Where the bytes are: a file, or the sealed spool of standard input (with the key that opens it)."""

    path: Path
    spool_key: DataKey | None = None
    sealer: Sealer | None = None
    stamp: tuple[int, int, int] | None = None

    def open(self) -> BinaryIO:
        """Return the bytes as a seekable handle. Raises InvalidInput when the file is not the one looked at."""
        if self.spool_key is not None and self.sealer is not None:
            from crmctl.security.spool import open_spool

            return open_spool(self.path, self.spool_key, self.sealer)
        handle = files.open_input(self.path)
        if self.stamp is not None and stamp_of(handle) != self.stamp:
            handle.close()
            raise InvalidInput(
                _("{path}: the file changed while it was read").format(path=self.path),
                hint=_("import a file that nobody writes to"),
                code="FILE_CHANGED",
            )
        return handle


def stamp_of(handle: BinaryIO) -> tuple[int, int, int]:
    """Return what tells a file from a changed one: inode, size, modification time."""
    stat = os.fstat(handle.fileno())
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


@dataclass(frozen=True)
class Reading:
    """One inspected file under one field policy. Picklable; values are read, never kept."""

    place: Place
    info: SourceInfo
    options: SourceOptions
    settings: SheetSettings
    outside: Mapping[str, Iterable[CodeItem]]
    zone: str
    at: datetime

    def blocks(self, size: int, after: int) -> Iterator[list[tuple[int, list[str]]]]:
        """Yield blocks of (number, cells) of up to `size` records, from after a record number on."""
        with self.place.open() as handle:
            yield from source.rows(handle, self.info, self.settings, self.options, start_after=after, block=size)
