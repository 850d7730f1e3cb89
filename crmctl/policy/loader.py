"""The one way any YAML file of this program is read: policies in `check` and in every run, crmctl.yaml, mappings."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from crmctl.errors import CrmctlError, PolicyInvalid
from crmctl.i18n import _, reason
from crmctl.policy.nodes import Fields, Node
from crmctl.policy.problems import START, Problem, Report
from crmctl.policy.reading import MOST_BYTES, read_tree
from crmctl.policy.scalars import Plain, construct


def read_bytes(path: Path, report: Report) -> bytes | None:
    """Return a file's bytes, at most one more than is allowed; None after noting why not."""
    from crmctl.files import open_input

    try:
        with open_input(path) as stream:
            return stream.read(MOST_BYTES + 1)
    except CrmctlError as error:
        report.add(START, "P100", error.message, error.hint)
    except OSError as error:
        report.add(START, "P100", _("cannot be read: {reason}").format(reason=reason(error)))
    return None


def read_fields(data: bytes, report: Report) -> tuple[Fields, dict[str, Plain]] | None:
    """Return a file's top mapping as tree and as plain data; None after noting why there is none."""
    node: Node | None = read_tree(data, report)
    if node is None:
        return None
    plain = construct(node, report)
    if not isinstance(node, Fields) or not isinstance(plain, dict):
        report.add(
            node.mark,
            "P116",
            _("keys and values are wanted at the top"),
            _("each line is a key, an ASCII colon, a space and a value"),
        )
        return None
    return node, plain


def read_mapping(path: Path) -> dict[str, Plain]:
    """Return the top mapping of one YAML file that is no policy, read as strictly.

    Raises PolicyInvalid with every problem of form.
    """
    report = Report(str(path))
    data = read_bytes(path, report)
    found = read_fields(data, report) if data is not None else None
    if found is None or report.errors:
        raise invalid(report.problems, str(path))
    return found[1]


def invalid(problems: Sequence[Problem], what: str) -> PolicyInvalid:
    """Return the error that carries all problems of `what`; whoever tells it lists them."""
    return PolicyInvalid(
        _("{what}: problems found: {count}").format(what=what, count=len(problems)),
        hint=_("correct them and run the same command again"),
        details={"problems": [problem.as_dict() for problem in problems]},
    )
