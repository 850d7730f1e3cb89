"""What `crmctl policy test` says: each case that came out otherwise, each rule that no case reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from crmctl.errors import InvalidInput, Refused
from crmctl.i18n import _
from crmctl.policy import casefile
from crmctl.policy.checking import SUFFIX, load
from crmctl.policy.loader import invalid
from crmctl.policy.problems import Problem
from crmctl.policy.testing import Results, read_cases, run
from crmctl.policy.validating import shortest

if TYPE_CHECKING:
    from crmctl.cli.invocation import Invocation

FAILED = 1


def test(call: Invocation, paths: Sequence[Path]) -> int:
    """Run the cases of these files and folders, else those of the workspace, and say what came out."""
    done: list[tuple[Results, Path]] = []
    problems: list[Problem] = []
    for folder, files, whole in _grouped(call, paths):
        policies = load(folder)
        cases, wrong = read_cases([Path(shortest(str(file))) for file in files], policies)
        problems += wrong
        done.append((run(cases, policies, whole=whole and not wrong), folder))
    if problems:
        raise invalid(problems, _("cases"))
    outcomes = [outcome for tested, _folder in done for outcome in tested.outcomes]
    untested = [(each, shortest(str(folder / each.place))) for tested, folder in done for each in tested.untested]
    document = {
        "cases": len(outcomes),
        "failed": sum(bool(outcome.faults) for outcome in outcomes),
        "untested": [{"rule": each.rule, "place": place} for each, place in untested],
        "results": [outcome.as_dict() for outcome in outcomes],
    }
    lines = [f"{each.case.place}: {each.case.name}: {fault}" for each in outcomes for fault in each.faults]
    lines += [_("untested rule: {place} {rule}").format(place=place, rule=each.rule) for each, place in untested]
    if lines or call.output != "table":
        call.emit(document, *lines)
    told = _("cases: {cases}, failed: {failed}, untested rules: {untested}")
    call.say(told.format(cases=document["cases"], failed=document["failed"], untested=len(untested)))
    return 0 if all(tested.ok for tested, _folder in done) else FAILED


def _grouped(call: Invocation, paths: Sequence[Path]) -> Iterator[tuple[Path, list[Path], bool]]:
    """Yield folders of policies with the files of cases to run; True where these are all the folder has."""
    from crmctl import workspace

    whole = [path for path in paths if path.is_dir()] if paths else [workspace.called(call).policies]
    for folder in whole:
        files = list(casefile.files(folder))
        if not files:
            raise Refused(
                _("{path}: holds no cases").format(path=shortest(str(folder / casefile.FOLDER))),
                hint=_("cases are YAML files; see docs/policies.md"),
                code="CASES_MISSING",
            )
        yield folder, files, True
    beside: dict[Path, list[Path]] = {}
    for path in paths:
        if not path.is_dir():
            beside.setdefault(_policies_of(call, path), []).append(path)
    for folder, files in beside.items():
        yield folder, files, False


def _policies_of(call: Invocation, path: Path) -> Path:
    """Return the policies that a file of cases tests: those it lies beside, else the workspace's."""
    from crmctl import workspace

    if not path.exists():
        raise InvalidInput(
            _("{path}: there is no such file").format(path=path), hint=_("check the name"), code="FILE_UNREADABLE"
        )
    folder = path.absolute().parent.parent
    return folder if (folder / f"company{SUFFIX}").is_file() else workspace.called(call).policies
