"""kill -9 wherever something is half done: keys without rows, rows without commit, all but the last word."""

from __future__ import annotations

import signal
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
from commands import crmctl, inside, strike

POINTS = {
    # where: (call, how far the batch has come: chunks committed, None when there is no batch yet)
    "the batch has a number": ("after:1:crmctl.store.counters:take", None),
    "the batch's key is committed": ("after:1:crmctl.security.keystore:KeyStore.add", None),
    "the run is begun, the batch not": ("after:1:crmctl.runs.run:begin", None),
    "the batch is not committed yet": ("after:1:crmctl.sheets.batches:create", None),
    "the batch is committed": ("after:1:crmctl.sheets.intake:_open_batch", 0),
    "numbers of chunk 1 are reserved": ("after:1:crmctl.customers.apply:reserve", 0),
    "keys of chunk 1 are being committed": ("before:2:crmctl.security.keystore:KeyStore.add", 0),
    "keys of chunk 1 are committed": ("after:2:crmctl.security.keystore:KeyStore.add", 0),
    "customers are written, not committed": ("after:1:crmctl.store.bulk:insert_rows", 0),
    "all rows are written, not committed": ("after:1:crmctl.customers.apply:_rows", 0),
    "the cursor is written, not committed": ("after:1:crmctl.customers.apply:_progress", 0),
    "the entry is written, not committed": ("after:2:crmctl.audit.entries:append", 0),
    "chunk 1 is committed": ("after:1:crmctl.customers.apply:apply", 1),
    "chunk 1 is committed, chunk 2 reserved": ("before:2:crmctl.customers.apply:apply", 1),
    "the last chunk is committed": ("after:4:crmctl.customers.apply:apply", 4),
    "the run is finished, not committed": ("after:1:crmctl.runs.run:finish", 4),
    "the last word is written, not committed": ("after:6:crmctl.audit.entries:append", 4),
}


def begin(folder: Path, given: commands.Given, point: str) -> None:
    done = strike(f"SIGKILL:{point}", folder, "customer", "import", given.path, "--chunk", 100)
    assert (done.status, done.out) == (-signal.SIGKILL, b""), done.err


def finish(folder: Path, given: commands.Given, reference: dict[str, Any]) -> None:
    """Type what there is to type, then hold everything against an undisturbed import."""
    words: tuple[object, ...] = ("customer", "import", given.path)
    for batch in oracle.states(folder):
        words = ("batch", "resume", batch)
    done = inside(folder, *words, "-o", "json")
    assert (done.status, done.err) == (3, b"")
    assert done.counts == given.counts
    again = inside(folder, "batch", "resume", done.document["batch"], "-o", "json")
    assert (again.status, again.failure["code"]) == (1, "BATCH_FINISHED")
    assert oracle.complaints(folder) == []
    assert oracle.difference(oracle.contents(folder), without_batches(reference)) == {}


def without_batches(reference: dict[str, Any]) -> dict[str, Any]:
    return {name: values for name, values in reference.items() if name not in ("batches", "seconds")}


@pytest.mark.parametrize("where", POINTS)
def test_killed_where(folder: Path, small: commands.Given, references: Any, where: str) -> None:
    point, chunks = POINTS[where]
    begin(folder, small, point)

    with oracle.opened(folder) as run:
        assert oracle.chunks(run) == ([] if chunks is None else [chunks])
    finish(folder, small, references(small))


RESUMED = {
    "orphan keys are gone, their reservation not": "after:1:crmctl.security.keystore:KeyStore.remove",
    "orphan keys and reservation are gone": "after:1:crmctl.customers.orphans:remove_orphan_keys",
    "the batch runs again": "after:1:crmctl.sheets.batches:set_state",
    "the next keys are committed": "after:1:crmctl.security.keystore:KeyStore.add",
    "the next chunk is committed": "after:1:crmctl.customers.apply:apply",
}


@pytest.mark.parametrize("where", RESUMED)
def test_killed_again_while_resuming(make: Any, small: commands.Given, references: Any, where: str) -> None:
    folder = make("sqlite")
    begin(folder, small, POINTS["keys of chunk 1 are committed"][0])
    done = strike(f"SIGKILL:{RESUMED[where]}", folder, "batch", "resume", 1)
    assert done.status == -signal.SIGKILL, done.err

    finish(folder, small, references(small))


@pytest.mark.parametrize(
    "point",
    [
        "after:1:crmctl.customers.pipeline:SecondProcess._send",
        "after:2:crmctl.customers.apply:reserve",
        "after:3:crmctl.security.keystore:KeyStore.add",
        "after:2:crmctl.customers.apply:_rows",
        "after:2:crmctl.customers.apply:apply",
        "before:1:crmctl.customers.pipeline:SecondProcess.close",
    ],
)
def test_killed_with_a_second_process_ahead(
    make: Any, kind: str, large: commands.Given, references: Any, point: str
) -> None:
    folder = make(kind)
    done = strike(f"SIGKILL:{point}", folder, "customer", "import", large.path, "--chunk", 1000)
    assert done.status == -signal.SIGKILL, done.err

    finish(folder, large, references(large))


STDIN = {
    "the spool is written": ("after:1:crmctl.sheets.origin:write_spool", False),
    "the batch is committed": ("after:1:crmctl.sheets.intake:_open_batch", True),
    "chunk 2 is committed": ("after:2:crmctl.customers.apply:apply", True),
}


@pytest.mark.parametrize("where", STDIN)
def test_standard_input_is_resumed_from_its_sealed_copy(
    make: Any, small: commands.Given, references: Any, where: str
) -> None:
    point, begun = STDIN[where]
    folder, data = make("sqlite"), small.path.read_bytes()
    done = strike(f"SIGKILL:{point}", folder, "customer", "import", "-", "--chunk", 100, stdin=data)
    assert done.status == -signal.SIGKILL, done.err
    (spool,) = (folder / "spool").iterdir()
    assert data.splitlines()[1] not in spool.read_bytes()
    assert spool.stat().st_mode & 0o077 == 0

    words = ("batch", "resume", 1) if begun else ("customer", "import", "-")
    done = crmctl(folder, *words, "-o", "json", stdin=None if begun else data)

    assert (done.status, done.counts) == (3, small.counts), done.err
    assert oracle.complaints(folder) == []
    assert oracle.difference(oracle.contents(folder), without_batches(references(small))) == {}


def test_the_spool_of_a_finished_batch_is_removed_when_the_process_dies_first(make: Any, small: commands.Given) -> None:
    folder = make("sqlite")
    point = "SIGKILL:before:3:pathlib:Path.unlink:batch-1.sealed"  # 1: what lay there before, 2: the half-written one
    done = strike(point, folder, "customer", "import", "-", stdin=small.path.read_bytes())
    assert done.status == -signal.SIGKILL, done.err
    assert oracle.states(folder) == {1: "done"}

    assert inside(folder, "batch", "resume", 1).status == 1
    assert oracle.complaints(folder) == []


def test_other_bytes_on_standard_input_leave_the_sealed_copy_alone(make: Any, small: commands.Given) -> None:
    folder, data = make("sqlite"), small.path.read_bytes()
    point = "SIGKILL:after:1:crmctl.customers.apply:apply"
    assert strike(point, folder, "customer", "import", "-", "--chunk", 100, stdin=data).status == -signal.SIGKILL

    refused = crmctl(folder, "batch", "resume", 1, "-", "-o", "json", stdin=data + b"x,y\r\n")
    assert (refused.status, refused.failure["code"]) == (1, "BATCH_OTHER_FILE")

    done = inside(folder, "batch", "resume", 1, "-o", "json")
    assert (done.status, done.counts) == (3, small.counts), done.err
    assert oracle.complaints(folder) == []


def test_a_batch_of_standard_input_finished_from_a_file_leaves_no_spool(make: Any, small: commands.Given) -> None:
    folder = make("sqlite")
    point = "SIGKILL:after:1:crmctl.customers.apply:apply"
    line = ("customer", "import", "-", "--chunk", 100)
    assert strike(point, folder, *line, stdin=small.path.read_bytes()).status == -signal.SIGKILL

    done = inside(folder, "batch", "resume", 1, small.path, "-o", "json")
    assert (done.status, done.counts) == (3, small.counts), done.err
    assert oracle.complaints(folder) == []
