"""The same file gives the same base: either database, chunks of any size, one process or two, CSV or XLSX."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import commands
import oracle
import pytest
import xlsxwriter
from commands import crmctl

from crmctl.setup.demo import SAMPLE


def imported(folder: Path, *words: object, **more: Any) -> dict[str, Any]:
    """Import into a fresh workspace and return what it holds."""
    done = crmctl(folder, "customer", "import", *words, "-o", "json", **more)
    assert done.status in (0, 3), done.err
    return contents(folder)


def contents(folder: Path) -> dict[str, Any]:
    assert oracle.complaints(folder) == []
    return oracle.contents(folder)


def test_both_databases_hold_the_same_of_a_generated_file(make: Any, large: commands.Given, references: Any) -> None:
    wanted = {name: values for name, values in references(large).items() if name != "seconds"}

    found = imported(make("postgresql"), large.path, "--chunk", 700)

    assert found["batches"][0][3] == large.counts
    assert oracle.difference(found, wanted) == {}


SAMPLES = ("customers_zh.csv", "customers_zh_fixed.csv", "customers_en.csv")


def test_both_databases_hold_the_same_of_the_samples_and_of_a_second_time(make: Any) -> None:
    found = {}
    for kind in ("sqlite", "postgresql"):
        folder = make(kind)
        for name in (*SAMPLES, SAMPLES[0]):
            assert crmctl(folder, "customer", "import", SAMPLE / name, "--mode", "upsert").status in (0, 3)
        found[kind] = contents(folder)

    assert len(found["sqlite"]["customers"]) > 50
    assert oracle.difference(found["postgresql"], found["sqlite"]) == {}


@pytest.mark.parametrize("mode", ["create", "upsert"])
def test_the_chunk_size_changes_nothing(make: Any, files: Path, mode: str) -> None:
    given = commands.generated(files, 300, 11)
    bases = {}
    for chunk in (1, 7, 20_000):
        folder = make("sqlite", f"chunk{chunk}")
        bases[chunk] = imported(folder, given.path, "--chunk", chunk, "--mode", mode)

    assert mode == "upsert" or bases[1]["batches"][0][3] == given.counts
    for chunk in (1, 7):
        assert oracle.difference(settled(bases[chunk]), settled(bases[20_000])) == {}


def settled(base: dict[str, Any]) -> dict[str, Any]:
    """Leave out the change log: rows of one chunk that touch a customer twice are one change of it."""
    return {name: values for name, values in base.items() if name != "changes"}


def test_one_process_or_two(make: Any, large: commands.Given, references: Any, files: Path) -> None:
    """Without its last rows the file is too small for a second process; the whole file after it brings the rest."""
    from crmctl.customers.intake import WORTH_A_PROCESS

    lines = large.path.read_bytes().splitlines(keepends=True)
    few = files / "few.csv"
    few.write_bytes(b"".join(lines[:WORTH_A_PROCESS]))
    folder = make("sqlite")
    assert crmctl(folder, "customer", "import", few, "--chunk", 500).status == 3
    found = imported(folder, large.path)

    wanted = references(large)
    assert oracle.difference({"identities": found["identities"]}, {"identities": wanted["identities"]}) == {}
    for part in ("customers", "contacts"):
        assert [sealed for _clear, sealed in found[part]] == [sealed for _clear, sealed in wanted[part]]


def test_a_workbook_gives_what_its_csv_gives(make: Any, small: commands.Given, references: Any, tmp_path: Path) -> None:
    table = list(csv.reader(io.StringIO(small.path.read_text("utf-8"), newline="")))
    book = xlsxwriter.Workbook(tmp_path / "customers.xlsx", {"strings_to_formulas": False, "strings_to_urls": False})
    sheet = book.add_worksheet("客户")
    for number, cells in enumerate(table):
        for column, text in enumerate(cells):
            sheet.write_string(number, column, text)
    book.close()

    found = imported(make("sqlite"), tmp_path / "customers.xlsx")

    wanted = {name: values for name, values in references(small).items() if name != "seconds"}
    assert found["batches"][0][1:] == wanted["batches"][0][1:]
    assert oracle.difference(found, wanted) == {}


def test_standard_input_and_gb18030_give_what_the_file_gives(make: Any, small: commands.Given, references: Any) -> None:
    data = small.path.read_bytes().decode("utf-8").encode("gb18030")

    found = imported(make("sqlite"), "-", stdin=data)

    wanted = {name: values for name, values in references(small).items() if name != "seconds"}
    assert oracle.difference(found, wanted) == {}


def test_a_dry_run_foretells_all_counts_and_writes_nothing(make: Any, kind: str, small: commands.Given) -> None:
    folder = make(kind)
    before = contents(folder)

    done = crmctl(folder, "customer", "import", small.path, "--chunk", 70, "--dry-run", "-o", "json")

    assert (done.status, done.counts) == (3, small.counts)
    assert (done.document["run_id"], done.document["batch"], done.document["dry_run"]) == (None, None, True)
    assert contents(folder) == before
