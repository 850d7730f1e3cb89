"""`doctor`: every line in the reader's language."""

from __future__ import annotations

import ast
import inspect
import json
import re
from pathlib import Path

import workspaces
from golden import call

from crmctl.setup import doctor
from crmctl.setup.commands import SUBJECTS


def test_every_subject_has_a_name() -> None:
    noted = {
        node.args[1].value
        for node in ast.walk(ast.parse(inspect.getsource(doctor)))
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "patient.note"
        if isinstance(node.args[1], ast.Constant)
    }
    checks = {subject for subject, _check in doctor._CHECKS}

    assert len(noted) > 5
    assert noted | checks == SUBJECTS.keys()


def test_subjects_are_chinese_for_people_and_codes_for_programs(tmp_path: Path) -> None:
    folder = workspaces.make(tmp_path / "w")

    shown = call(["-w", str(folder), "doctor", "--lang", "zh"]).stdout.splitlines()
    findings = json.loads(call(["-w", str(folder), "doctor", "--lang", "zh", "-o", "json"]).stdout)["findings"]

    subjects = [re.split(r"\s{2,}", line)[1] for line in shown[2 : 2 + len(findings)]]
    assert {"工作区", "密钥库", "审计日志"} <= set(subjects)
    assert not any(subject.isascii() for subject in subjects)
    assert {finding["subject"] for finding in findings} <= SUBJECTS.keys()
