"""`policy validate`: which files to check together, and how their paths are written."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from datetime import datetime
from pathlib import Path

from crmctl.i18n import _
from crmctl.policy import casefile
from crmctl.policy.checking import SUFFIX, Checked, check, check_files
from crmctl.policy.crosscheck import known_of
from crmctl.policy.loader import read_bytes
from crmctl.policy.policyset import PolicySet
from crmctl.policy.problems import START, Problem, Report


def check_paths(paths: Sequence[Path], at: datetime) -> tuple[list[Problem], int]:
    """Return the problems of files and folders, and how many files were looked at.

    A folder is checked with its cases. A file beside a company.yaml is checked with its whole folder, and only its own
    problems are returned; else alone. A file of cases, or their folder, is checked against the policies it lies below.
    """
    problems: list[Problem] = []
    folders: dict[Path, Checked] = {}
    count = 0
    for path in dict.fromkeys(paths):
        tested = _tested_by(path)
        if tested is not None:
            files = _cases_in(tested) if path.is_dir() else [path]
            problems += _cases(files, check(tested, at).policies)
            count += len(files)
            continue
        whole = path.is_dir() or not path.exists()
        folder = path if whole else path.parent
        if not whole and not (folder / f"company{SUFFIX}").is_file():
            problems += _alone(path, at)
            count += 1
            continue
        if folder not in folders:
            folders[folder] = check(folder, at)
        checked = folders[folder]
        if whole:
            files = _cases_in(path)
            problems += [*checked.problems, *_cases(files, checked.policies)]
            count += checked.count + len(files)
        else:
            problems += [problem for problem in checked.problems if problem.path == str(path)]
            count += 1
    return [problem.moved(shortest(problem.path)) for problem in dict.fromkeys(problems)], count


def _tested_by(path: Path) -> Path | None:
    """Return the policies that a file of cases, or the folder where they lie, tests; None for anything else."""
    cases = path.absolute() if path.is_dir() else path.absolute().parent
    beside = (cases.parent / f"company{SUFFIX}").is_file()
    return cases.parent if path.exists() and beside and cases.name == casefile.FOLDER else None


def _cases_in(folder: Path) -> Sequence[Path]:
    """Return the files of cases in a folder of policies, also those whose name keeps them from being read."""
    return sorted([*casefile.files(folder), *(folder / casefile.FOLDER).glob("*.yml")])


def _cases(paths: Sequence[Path], policies: PolicySet | None) -> Iterator[Problem]:
    """Yield what is wrong with files of cases; without policies, because they are broken, all but what it refers to."""
    known = known_of(policies.policies) if policies else None
    for path in paths:
        report = Report(str(path))
        if path.suffix == ".yml":
            report.add(START, "P115", _("would not be read"), _("name it …{suffix}").format(suffix=SUFFIX))
        else:
            casefile.read(path, policies, known, report)
        yield from sorted(report.problems, key=lambda problem: (problem.line, problem.column))


def _alone(path: Path, at: datetime) -> Sequence[Problem]:
    report = Report(str(path))
    data = read_bytes(path, report)
    files = {path.name: data} if data is not None else {}
    return check_files(files, {path.name: report}, Report(str(path.parent)), at, alone=True).problems


def shortest(path: str) -> str:
    """Return a path as people type it: relative where it lies below the current folder."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
