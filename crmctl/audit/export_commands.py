"""`crmctl audit export`: the log, or a part of it, for somebody else; as a bundle that can be verified elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

import click

from crmctl.cli.options import Invocation, command
from crmctl.errors import PermissionMissing, Refused, UsageProblem
from crmctl.i18n import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator

    from crmctl.audit.export import Selection
    from crmctl.audit.leaving import Left, Permitted
    from crmctl.runs.run import Run

FORMATS = ("jsonl", "csv", "xlsx", "ocsf")
MOST_IN_WORKBOOK = 100_000  # a workbook is built in memory


@command(
    example=(
        "crmctl audit export > log.jsonl",
        "crmctl audit export --from 2026-07-01 --to 2026-09-30 --bundle q3",
        "crmctl audit export --customer C-000123 --recipient authority --purpose compliance --ask 监管检查",
    ),
    exits=(0, 1, 2, 4, 6, 8, 10, 11, 13, 74, 130, 143),
    formats=("table", "json"),
)
@click.option("--from", "since", default="", metavar="TIME", help=N_("Only from this date or time on."))
@click.option("--to", "until", default="", metavar="TIME", help=N_("Only up to this date (included) or time."))
@click.option("--customer", default="", metavar="NUMBER", help=N_("Only what was about this customer, or touched it."))
@click.option(
    "--format", "form", type=click.Choice(FORMATS), default="jsonl", help=N_("jsonl is the exact bytes of each entry.")
)
@click.option("--out", type=click.Path(path_type=Path), help=N_("Write to this file instead of standard output."))
@click.option("--bundle", type=click.Path(path_type=Path), help=N_("Make this folder, with all it takes to verify."))
@click.option("--recipient", default="", metavar="CODE", help=N_("Whom it is for, as use.yaml names recipients."))
@click.option("--purpose", default="", metavar="CODE", help=N_("What it is for, as use.yaml names purposes."))
@click.option("--ask", default="", metavar="WHY", help=N_("Export nothing: ask somebody else to agree; kept sealed."))
@click.option("--manner", default="file", metavar="CODE", help=N_("With --ask: how it is used, as use.yaml says it."))
@click.option("--responsible", default="", metavar="WHO", help=N_("With --ask: who answers for it; else yourself."))
@click.option("--use", type=click.IntRange(min=1), help=N_("Approved request of --ask; says what is left out."))
def export_command(
    call: Invocation, form: str, out: Path | None, bundle: Path | None, use: int | None, **given: str
) -> None:
    """Export the audit log: everything, a period, or what touched one customer.

    By default the exact bytes of every entry go to standard output, one a line. With --bundle a folder is made with
    proofs, checkpoints, the public key, a verifier that needs nothing but Python, and VERIFY.md on checking by hand.
    The export is an entry itself, written before anything leaves; what is exported ends before it. Files and folders
    are in the register of copies. To a recipient outside it goes only when somebody else agreed: --ask, then --use.
    """
    from crmctl.audit import leaving
    from crmctl.runs import run as runs

    _refuse_misfits(call, form, out, bundle, given)
    if given["ask"]:
        _refuse_asking_misfits(given, use, out or bundle)
        with runs.open_run(call, "audit export", "audit.ask") as run:
            _ask(call, run, given)
        return
    with runs.open_run(call, "audit export", leaving.ACT) as run:
        _demand(run, given, use)
        permitted = leaving.permit(run, leaving.wanted_of(given, run.zone), given, use)
        if bundle is not None:
            _make_bundle(call, run, permitted, bundle)
        elif out is not None:
            _write(call, run, permitted, form, out)
        else:
            _print(call, run, permitted, form)


def _refuse_misfits(call: Invocation, form: str, out: Path | None, bundle: Path | None, given: dict[str, str]) -> None:
    if bundle is not None and (out is not None or form != "jsonl"):
        raise UsageProblem(_("--bundle makes a folder of its own: it takes no --out and no --format"))
    if bundle is not None and given["customer"] and (given["since"] or given["until"]):
        raise UsageProblem(
            _("--bundle is of a period or of a customer, not of both"),
            hint=_("nobody could verify that nothing of such a period is missing"),
        )
    if bundle is None and out is None and not given["ask"] and "output" in call.given:
        raise UsageProblem(_("-o is for what is said of --out and --bundle; the form of the export is --format"))


def _refuse_asking_misfits(given: dict[str, str], use: int | None, place: Path | None) -> None:
    if not given["ask"].strip():
        raise UsageProblem(_("--ask: says nothing"), hint=_("say in a sentence why it is needed"))
    if use is not None or place is not None:
        raise UsageProblem(_("--ask exports nothing: it takes no --use, --out and --bundle"))
    if not (given["recipient"] and given["purpose"]):
        raise UsageProblem(_("--ask needs --recipient and --purpose"), hint=_("they are what is agreed to"))


def _ask(call: Invocation, run: Run, given: dict[str, str]) -> None:
    from crmctl.audit import leaving

    request = leaving.ask(run, leaving.wanted_of(given, run.zone), given, given["ask"].strip())
    document = {"run_id": request.run_id, "use": request.use_id, "approval": request.approval_id, "hash": request.hash}
    lines = [_("Use request {number}: an export of the log").format(number=request.use_id)]
    if request.approval_id is not None:
        lines.append(_("somebody else agrees: crmctl approval approve {number}").format(number=request.approval_id))
    lines.append(_("then: crmctl audit export --use {number}, with --out or --bundle").format(number=request.use_id))
    call.emit(document, *lines)


def _demand(run: Run, given: dict[str, str], use: int | None) -> None:
    """Raise PermissionMissing, noted in the log, where audit.yaml demands a recipient or purpose that is missing."""
    from crmctl.audit.checkpoints import settings_of
    from crmctl.runs import run as runs

    missing = [name for name in settings_of(run.policies).export_needs if not given[name]]
    if missing and use is None:
        refusal = PermissionMissing(
            _("an export of the log needs: {options}").format(options=", ".join(f"--{name}" for name in missing)),
            hint=_("audit.yaml demands it (`export_needs`)"),
            code="EXPORT_NEEDS",
        )
        runs.note_denied(run, refusal)
        raise refusal


def _make_bundle(call: Invocation, run: Run, permitted: Permitted, path: Path) -> None:
    """Fill the folder, commit the entry with its manifest's hash, then give it its name."""
    from zoneinfo import ZoneInfo

    from crmctl.audit import checkpoints, leaving
    from crmctl.audit.bundle import About, fill, new_folder
    from crmctl.audit.export import choose
    from crmctl.runs import run as runs
    from crmctl.store.engine import read

    settings = checkpoints.settings_of(run.policies)
    offset = run.at.astimezone(ZoneInfo(run.zone)).utcoffset()
    minutes = int(offset.total_seconds()) // 60 if offset else 0
    who = About(minutes, checkpoints.signers_of(run.workspace, settings), checkpoints.trust_of(run.workspace, settings))
    left: list[Left] = []
    with leaving.taken_back(left), new_folder(path) as folder:
        run = runs.begin(run)
        with runs.recorded_failure(run):
            with read(run.engine) as conn:
                selection = choose(conn, permitted.wanted)
                digest = fill(conn, folder, selection, who)
            size = sum(file["bytes"] for file in folder.files.values())
            left.append(leaving.settle(run, permitted, selection, (leaving.manifest_of(path), digest, size)))
    document = {
        **left[0].told,
        "bundle": str(path),
        "kind": permitted.wanted.kind,
        "entries": selection.count,
        "log_size": selection.size,
        "manifest_sha256": digest,
    }
    call.emit(
        document,
        _("{path}: {number} of {size} entries, with proofs").format(
            path=path, number=selection.count, size=selection.size
        ),
        _("manifest: sha256 {digest}").format(digest=digest),
        _("verify it elsewhere: python3 -I verify_audit.py --key YOUR_KEY --pin YOUR_CHECKPOINT {path}").format(
            path=path
        ),
    )


def _print(call: Invocation, run: Run, permitted: Permitted, form: str) -> None:
    """Commit the entry, then stream the entries to standard output."""
    import sys

    from crmctl.audit import leaving
    from crmctl.cli import sheet
    from crmctl.runs import run as runs

    if form == "xlsx":
        sheet.binary_output()  # refuses a terminal before anything is logged
    selection = _chosen(run, permitted, form)
    if not selection.count:
        call.say(_("there are no such entries"))
    run = runs.begin(run)
    with runs.recorded_failure(run):
        leaving.settle(run, permitted, selection)
    sys.stdout.flush()
    _stream(run, selection, form, sys.stdout.buffer, file=False)
    sys.stdout.buffer.flush()


def _write(call: Invocation, run: Run, permitted: Permitted, form: str, out: Path) -> None:
    """Commit that it begins, write the file, commit its hash and its line in the register, then give it its name."""
    from crmctl.audit import leaving
    from crmctl.files import atomic_output
    from crmctl.runs import run as runs

    selection = _chosen(run, permitted, form)
    if not selection.count:
        raise leaving.nothing(run, permitted)
    left: list[Left] = []
    with leaving.taken_back(left), atomic_output(out) as stream:
        run = runs.begin(run)
        with runs.recorded_failure(run):
            leaving.announce(run, permitted, selection)
            to = leaving.Digesting(stream)
            _stream(run, selection, form, cast("IO[bytes]", to), file=True)
            left.append(leaving.settle(run, permitted, selection, (out, to.hexdigest(), to.size)))
    document = {**left[0].told, "file": str(out), "format": form, "entries": selection.count, "sha256": to.hexdigest()}
    call.emit(document, _("{path}: {number} entries").format(path=out, number=selection.count))


def _chosen(run: Run, permitted: Permitted, form: str) -> Selection:
    """Return the entries to be exported. Raises Refused for more than a workbook holds."""
    from crmctl.audit.export import choose
    from crmctl.store.engine import read

    with read(run.engine) as conn:
        selection = choose(conn, permitted.wanted)
    if form == "xlsx" and selection.count > MOST_IN_WORKBOOK:
        raise Refused(
            _("a workbook of the log holds {number} entries at most").format(number=MOST_IN_WORKBOOK),
            hint=_("use --format csv, or a shorter period"),
            code="SHEET_FULL",
        )
    return selection


def _stream(run: Run, selection: Selection, form: str, stream: IO[bytes], *, file: bool) -> None:
    from crmctl.audit.export import bodies, lines
    from crmctl.store.engine import read

    with read(run.engine) as conn:
        parts = bodies(conn, selection)
        if form == "jsonl":
            for data in lines(parts):
                stream.write(data)
        elif form == "ocsf":
            _events(parts, stream)
        else:
            _sheet(run, parts, stream, form, file=file)


def _events(parts: Iterator[list[bytes]], stream: IO[bytes]) -> None:
    from crmctl import __version__
    from crmctl.audit.ocsf import event

    for part in parts:
        stream.write(b"".join(event(text, __version__) + b"\n" for text in part))


def _sheet(run: Run, parts: Iterator[list[bytes]], stream: IO[bytes], form: str, *, file: bool) -> None:
    """Write what a person reads in a spreadsheet: every column of `audit list`; a pipe gets no byte order mark."""
    import csv
    import io

    from crmctl.audit.commands import all_columns, row_of
    from crmctl.cli import sheet
    from crmctl.cli.render import Table

    rows = (row_of(body, run.zone) for part in parts for body in map(_parsed, part))
    table = Table(all_columns(), rows, "entries")
    if form == "xlsx":
        stream.write(sheet.xlsx_bytes(table, ""))
        return
    text = io.TextIOWrapper(stream, "utf-8", "backslashreplace", newline="", write_through=False)
    text.write(sheet.BOM if file else "")
    writer = csv.writer(text, lineterminator="\r\n" if file else "\n")
    writer.writerows([sheet.neutral(cell) for cell in cells] for cells in sheet.text_rows(table, ""))
    text.flush()
    text.detach()


def _parsed(text: bytes) -> dict[str, Any]:
    import orjson

    try:
        body = orjson.loads(text)
    except ValueError:
        body = None
    return body if isinstance(body, dict) and isinstance(body.get("actor"), dict) else {}
