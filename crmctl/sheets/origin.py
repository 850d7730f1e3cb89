"""What an import was asked for, where its bytes are, and what they turn out to be; nothing is written but the spool."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Sealer
from crmctl.security.spool import write_spool
from crmctl.sheets import batches, source
from crmctl.sheets.formats.money import Unit
from crmctl.sheets.headers import load_mapping
from crmctl.sheets.policy import SheetSettings
from crmctl.sheets.reading import Place, stamp_of
from crmctl.sheets.source import SourceInfo, SourceOptions

CHUNK = 10_000  # 20,000 write a few per cent faster and take both processes over 200 MB


@dataclass(frozen=True)
class Request:
    """What an import was asked for. `file` "-" is standard input; `options` is how to read it."""

    file: str
    mode: str = "create"
    clear_blanks: bool = False
    source: str = "default"
    options: SourceOptions = field(default_factory=SourceOptions)
    chunk: int = CHUNK
    rejects: Path | None = None
    max_changes: int | None = None
    second_process: bool | None = None
    recreate: bool = False  # of customers: those who asked to be forgotten as well


def requested(file: str, given: Mapping[str, Any], type_code: str | None = None) -> Request:
    """Return what an import command was asked for. Raises Refused where --rejects would overwrite a file.

    Raises InvalidInput for a bad mapping file.
    """
    if given["rejects"] is not None and os.path.lexists(given["rejects"]):
        raise Refused(_("{path}: exists already").format(path=given["rejects"]), code="FILE_EXISTS")
    options = SourceOptions(
        encoding=given["encoding"],
        delimiter=given["delimiter"],
        sheet=given["sheet"],
        mapping=load_mapping(given["mapping"]) if given["mapping"] else {},
        drop_unknown=given["drop_unknown"],
        limit=given["limit"],
        type=type_code,
    )
    return Request(
        file=file,
        mode=given.get("mode", "upsert"),
        clear_blanks=given.get("blank") == "clear",
        source=given["source"],
        options=options,
        chunk=given["chunk"],
        rejects=given["rejects"],
        max_changes=given.get("max_changes"),
        recreate=given.get("recreate", False),
    )


def looked_at(request: Request, place: Place, settings: SheetSettings) -> tuple[Place, SourceInfo]:
    """Return the file looked at once. Raises InvalidInput for whatever cannot be read as a table of these fields."""
    with place.open() as handle:
        if place.spool_key is None:
            place = replace(place, stamp=stamp_of(handle))
        name = _("standard input") if request.file == "-" else request.file
        return place, source.inspect(handle, settings, request.options, name=name)


def place_of(file: str, key: DataKey, sealer: Sealer, spool: Path, *, spooled: bool = False) -> Place:
    """Return where the bytes are; standard input is sealed into `spool` first, unless it was before."""
    if file != "-" and not spooled:
        return Place(Path(file).absolute())
    if not spooled:
        spool.unlink(missing_ok=True)
        stream: BinaryIO = sys.stdin.buffer
        write_spool(spool, stream, key, sealer)
    return Place(spool, key, sealer)


def second_spool(run: Run, batch_id: int) -> Path:
    """Return where standard input given to `batch resume` is sealed: the first spool is kept until all is done."""
    return run.workspace.spool / f"batch-{batch_id}.again.sealed"


def request_of(
    batch: batches.Batch, info: Mapping[str, Any], file: str, max_changes: int | None, rejects: Path | None
) -> Request:
    """Return what an interrupted batch was asked for, with what may differ this time."""
    stored = batch.options
    named = {name: stored[name] for name in SourceOptions.__dataclass_fields__ if name in stored}
    path = file or info["path"] or "-"
    if not file and not info["spooled"] and not Path(path).is_file():
        raise InvalidInput(
            _("batch {batch}: its file is no longer where it was").format(batch=batch.batch_id),
            hint=_("name it: crmctl batch resume {batch} FILE").format(batch=batch.batch_id),
            code="FILE_MISSING",
        )
    return Request(
        file=path,
        mode=batch.mode,
        clear_blanks=stored["clear_blanks"],
        source=batch.source,
        options=SourceOptions(**{**named, "mapping": info["mapping"]}),
        chunk=stored["chunk"],
        rejects=rejects,
        max_changes=max_changes,
        recreate=stored.get("recreate", False),
    )


def unit_text(unit: Unit | None) -> str:
    """Return what the unit in a header means, as in ×10,000 CNY."""
    return "" if unit is None else f"×{unit.factor:,} {unit.currency or ''}".strip()
