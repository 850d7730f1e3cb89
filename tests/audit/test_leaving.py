"""An export of the log leaves: its line in the register of copies, and nobody outside gets it without agreement."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

import pytest
from desks import ADMIN, AUDITOR, STEWARD, SUPERVISOR, Desk

from crmctl import files

ASK = ("--recipient", "authority", "--purpose", "compliance", "--ask", "监管检查")


def test_files_are_in_the_register(desk: Desk, tmp_path: Path) -> None:
    out, bundle = tmp_path / "日志.csv", tmp_path / "bundle"
    told = desk.json(AUDITOR, "audit", "export", "--format", "csv", "--out", out, "--recipient", "法务",
                     "--purpose", "audit")  # fmt: skip
    desk.json(ADMIN, "audit", "checkpoint")
    folder = desk.json(AUDITOR, "audit", "export", "--bundle", bundle)
    found = {copy["copy"]: copy for copy in desk.json(AUDITOR, "use", "copies", "--check")["copies"]}
    first, second = found[told["copy"]], found[folder["copy"]]
    assert (first["kind"], first["rows"], first["found"]) == ("log", told["entries"], "there")
    assert (first["person"], first["recipient"], first["purpose"]) == ("an.q", "legal", "compliance")
    assert (first["sha256"], first["bytes"]) == (sha256(out.read_bytes()).hexdigest(), out.stat().st_size)
    assert (second["path"], second["found"]) == (str(bundle / "manifest.json"), "there")
    assert second["bytes"] == sum(path.stat().st_size for path in bundle.iterdir())
    used = desk.json(AUDITOR, "use", "list", "--records")["records"]
    assert [(each["record"], each["act"]) for each in used] == [(told["use_record"], "audit.export")]
    assert folder["use_record"] is None, "no purpose was said"
    out.unlink()
    assert desk.json(STEWARD, "use", "destroyed", told["copy"])["copies"][0]["destroyed_by"] == "li.na"


def test_nobody_outside_without_agreement(desk: Desk, tmp_path: Path) -> None:
    words, file = ("audit", "export", "--customer", "1"), ("--out", tmp_path / "none")
    assert desk.refusal(AUDITOR, *words, *ASK[:4], *file) == "APPROVAL_MISSING"
    assert desk.refusal(AUDITOR, *words, "--recipient", "外包", *file) == "RECIPIENT_OUTSIDE"
    assert desk.refusal(AUDITOR, *words, "--recipient", "audit", "--purpose", "广告", *file) == "PURPOSE_FORBIDDEN"
    assert [body["codes"] for body in desk.entries("audit.export")] == [
        ["APPROVAL_MISSING"], ["RECIPIENT_OUTSIDE"], ["PURPOSE_FORBIDDEN"],
    ]  # fmt: skip
    asked = desk.json(AUDITOR, *words, *ASK)
    shown = desk.json(AUDITOR, "use", "show", asked["use"])
    assert (shown["why"], shown["filters"], shown["request"]["responsible"]) == ("监管检查", {"customer": 1}, "an.q")
    out = tmp_path / "log.jsonl"
    use = ("audit", "export", "--use", asked["use"], "--out", out)
    assert desk.refusal(AUDITOR, *use) == "APPROVAL_MISSING"
    assert desk.refusal(AUDITOR, "approval", "approve", asked["approval"]) == "ACT_NOT_GRANTED"
    about = desk.say(SUPERVISOR, "approval", "show", asked["approval"]).stdout
    assert f"crmctl use show {asked['use']}" in about, "who agrees is told how to see to what"
    desk.json(SUPERVISOR, "approval", "approve", asked["approval"])
    assert desk.refusal(ADMIN, *use) == "ACT_NOT_GRANTED"
    assert desk.refusal(AUDITOR, *use, "--customer", "2", status=1) == "USE_OTHER"
    assert desk.refusal(AUDITOR, *use, "--recipient", "customer", status=1) == "USE_OTHER"
    assert not out.exists()
    told = desk.json(AUDITOR, *use)
    assert all(b"customer:1" in line or b"import" in line for line in out.read_bytes().splitlines())
    entry = desk.entries("audit.export")[-1]
    assert (entry["use"], entry["approval"], entry["obj"], entry["recipient"]) == (
        asked["use"], asked["approval"], "customer:1", "authority",
    )  # fmt: skip
    assert told["copy"] and told["use_record"]
    assert desk.refusal(AUDITOR, *use[:-1], tmp_path / "again", status=8) == "USE_SPENT"
    assert desk.json(AUDITOR, "use", "list")["requests"][0]["state"] == "used"
    (record,) = desk.json(AUDITOR, "use", "record", asked["use"], "--result", "done")["records"]
    assert (record["record"], record["result"]) == (told["use_record"], "done")


def test_agreement_may_be_wanted_inside_too(desk: Desk, tmp_path: Path) -> None:
    desk.edit("access.yaml", "    audit.export.outside:\n", "    audit.export: {by: [supervisor], expires: 1 hours}\n"
              "    audit.export.outside:\n")  # fmt: skip
    for words in ((), ("--recipient", "audit", "--purpose", "compliance")):
        words = (*words, "--bundle", tmp_path / "b")
        assert desk.refusal(AUDITOR, "audit", "export", "--from", "2026-01-01", *words) == "APPROVAL_MISSING"
    whole = desk.json(AUDITOR, "audit", "export", "--recipient", "audit", "--purpose", "compliance", "--ask", "年审")
    shown = desk.say(SUPERVISOR, "use", "show", whole["use"]).stdout
    assert "audit log" in shown and "the whole log" in shown and " 0\n" not in shown
    asked = desk.json(AUDITOR, "audit", "export", "--to", "2099-01-01", "--recipient", "audit", "--purpose",
                      "compliance", "--ask", "季度检查")  # fmt: skip
    told = desk.json(SUPERVISOR, "use", "show", asked["use"])["request"]
    assert (told["about"], told["customers"]) == ("log", None), "nothing of it is a number of customers"
    assert "the whole log" not in desk.say(SUPERVISOR, "use", "show", asked["use"]).stdout
    desk.json(SUPERVISOR, "approval", "approve", asked["approval"])
    done = desk.say(AUDITOR, "audit", "export", "--use", asked["use"])
    (used,) = desk.json(SUPERVISOR, "use", "show", asked["use"])["records"]
    assert (used["customers"], used["entries"]) == (None, len(done.stdout.splitlines()))
    assert (done.exit_code, done.stdout.splitlines()) == (0, [line.decode() for line in desk.log()[: used["entries"]]])


def test_an_export_of_no_entries_makes_no_file(desk: Desk, tmp_path: Path) -> None:
    words = ("audit", "export", "--from", "2020-01-01", "--to", "2020-01-31", "--purpose", "compliance")
    told = desk.json(AUDITOR, *words, "--out", tmp_path / "none.csv", "--format", "csv", status=1)
    assert (told["code"], list(tmp_path.glob("*none*"))) == ("NOTHING_TO_EXPORT", [])
    (entry,) = desk.entries("audit.export")
    assert (entry["result"], entry["n"], entry["codes"], entry["purpose"]) == (
        "done", 0, ["NOTHING_TO_EXPORT"], "compliance",
    )  # fmt: skip
    assert desk.json(AUDITOR, "use", "copies", "--all")["copies"] == []
    piped = desk.say(AUDITOR, *words)
    assert (piped.exit_code, piped.stdout, "no such entries" in piped.stderr) == (0, "", True)


def test_without_the_rule_nobody_can_agree(desk: Desk, tmp_path: Path) -> None:
    path = desk.folder / "policies" / "access.yaml"
    text = path.read_text("utf-8")
    path.write_text(text.replace("audit.export.outside:", "audit.export.elsewhere:"), "utf-8")
    for more in (("--out", tmp_path / "none"), ASK[4:]):
        assert desk.refusal(AUDITOR, "audit", "export", *ASK[:4], *more) == "RECIPIENT_OUTSIDE"


@pytest.mark.parametrize(
    "words",
    [
        ("--ask", "why"),
        ("--ask", " ", "--recipient", "authority", "--purpose", "compliance"),
        ("--ask", "why", "--recipient", "authority"),
        (*ASK, "--use", "1"),
        (*ASK, "--out", "f"),
        (*ASK, "--bundle", "b"),
    ],
)
def test_what_does_not_fit(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.refusal(AUDITOR, "audit", "export", *words, status=2) == "USAGE"


def test_what_got_no_name_is_no_copy(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out = tmp_path / "log.jsonl"

    def full(*_given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files, "_publish", full)
    done = desk.say(AUDITOR, "audit", "export", "--out", out)
    monkeypatch.undo()
    assert (done.exit_code, list(tmp_path.glob("*log*"))) == (74, [])
    assert desk.json(AUDITOR, "use", "copies")["copies"] == []
