"""What an import was asked for, where its bytes are, and what they turn out to be; nothing is written but the spool."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO

from crmctl.customers import batches, source
from crmctl.customers.formats.money import Unit
from crmctl.customers.reading import Place, Reading, outside_lists, stamp_of
from crmctl.customers.records import settings_of
from crmctl.customers.source import SourceOptions
from crmctl.errors import InvalidInput
from crmctl.i18n import _
from crmctl.runs.run import Run
from crmctl.security.sealing import DataKey, Sealer
from crmctl.security.spool import write_spool

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


def inspected(run: Run, request: Request, place: Place) -> Reading:
    """Return the file looked at once. Raises InvalidInput for whatever cannot be read as customers."""
    settings = settings_of(run)
    with place.open() as handle:
        if place.spool_key is None:
            place = replace(place, stamp=stamp_of(handle))
        name = _("standard input") if request.file == "-" else request.file
        info = source.inspect(handle, settings, request.options, name=name)
    return Reading(place, info, request.options, settings, outside_lists(run.policies), run.zone, run.at)


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
    )


def unit_text(unit: Unit | None) -> str:
    """Return what the unit in a header means, as in ×10,000 CNY."""
    return "" if unit is None else f"×{unit.factor:,} {unit.currency or ''}".strip()
