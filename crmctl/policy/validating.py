"""`policy validate`: which files to check together, and how their paths are written."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from crmctl.policy.checking import SUFFIX, Checked, check, check_files
from crmctl.policy.loader import read_bytes
from crmctl.policy.problems import Problem, Report


def check_paths(paths: Sequence[Path], at: datetime) -> tuple[list[Problem], int]:
    """Return the problems of files and folders, and how many files were looked at.

    A file beside a company.yaml is checked with its whole folder, and only its own problems are returned; else alone.
    """
    problems: list[Problem] = []
    folders: dict[Path, Checked] = {}
    count = 0
    for path in dict.fromkeys(paths):
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
            problems += checked.problems
            count += checked.count
        else:
            problems += [problem for problem in checked.problems if problem.path == str(path)]
            count += 1
    return [problem.moved(shortest(problem.path)) for problem in dict.fromkeys(problems)], count


def _alone(path: Path, at: datetime) -> Sequence[Problem]:
    report = Report(str(path))
    data = read_bytes(path, report)
    files = {path.name: data} if data is not None else {}
    return check_files(files, {path.name: report}, Report(str(path.parent)), at, alone=True).problems


def shortest(path: str) -> str:
    """Return a path as people type it: relative where it lies below the current folder."""
    relative = os.path.relpath(path)
    return path if relative.startswith(os.pardir) else relative
