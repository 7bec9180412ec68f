from __future__ import annotations

import pytest

from repo_manager.core import errors
from repo_manager.core.errors import DocumentError, ExitCode, Problem, RepoManagerError


@pytest.mark.parametrize(
    ("kind", "exit_code"),
    [
        (errors.InputError, 2),
        (errors.TransferError, 3),
        (errors.VerificationError, 4),
        (errors.MachineError, 3),
        (errors.ServiceError, 5),
        (errors.LockedError, 6),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[RepoManagerError], exit_code: int) -> None:
    error = kind("a-code", "what happened", "do this")
    assert isinstance(error, RepoManagerError)
    assert error.exit_code == exit_code
    assert (error.code, error.message, error.hint, str(error)) == (
        "a-code",
        "what happened",
        "do this",
        "what happened",
    )


def test_exit_codes_are_a_contract() -> None:
    assert {code.name: code.value for code in ExitCode} == {
        "DONE": 0,
        "FINDINGS": 1,
        "USAGE": 2,
        "TRANSFER": 3,
        "VERIFICATION": 4,
        "SERVICE": 5,
        "LOCKED": 6,
        "PARTIAL": 7,
        "INTERRUPTED": 130,
    }


def test_a_hint_may_be_missing() -> None:
    assert RepoManagerError("a-code", "what happened").hint == ""


@pytest.mark.parametrize(
    ("problems", "message"),
    [
        ((Problem(3, 7, "this"),), "a.yaml: 1 mistake\n  line 3, column 7: this"),
        (
            (Problem(3, 7, "this"), Problem(4, 1, "that")),
            "a.yaml: 2 mistakes\n  line 3, column 7: this\n  line 4, column 1: that",
        ),
    ],
    ids=["one", "two"],
)
def test_the_mistakes_of_a_document_are_reported_together(problems: tuple[Problem, ...], message: str) -> None:
    error = DocumentError("invalid-catalog", "a.yaml", problems, "mend them")
    assert error.message == message
    assert error.problems == problems
    assert error.name == "a.yaml"
    assert error.exit_code is ExitCode.USAGE
