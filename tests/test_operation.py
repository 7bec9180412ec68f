from __future__ import annotations

import pytest
from simulator import TOKENS, listing_of, name_of

from repo_manager.errors import InputError
from repo_manager.operation import _guard
from repo_manager.plan import Place, Plan, Retire

UNKNOWN = [name_of(f"PLAN{number}-64") for number in range(6)]
KNOWN = [name_of(token) for token in TOKENS]


def retiring(*file_names: str, placing: int = 0) -> Plan:
    places = [Place(token, name_of(token), "staging/x", "source", 1, "missing") for token in TOKENS[:placing]]
    return Plan((*places, *(Retire(None, name, 1, "superseded") for name in file_names)))


@pytest.mark.parametrize(
    ("present", "plan"),
    [
        (KNOWN, retiring(*KNOWN)),
        (KNOWN[:2], retiring(*KNOWN[:2])),
        # a catalog that was cut off knows one package, and takes the others for mistakes
        (UNKNOWN, retiring(*UNKNOWN, placing=1)),
    ],
    ids=["all", "both", "a catalog that was cut off"],
)
def test_leaving_most_packages_without_an_installer_is_refused(present: list[str], plan: Plan) -> None:
    with pytest.raises(InputError) as caught:
        _guard(plan, listing_of(*present))
    assert caught.value.code == "would-empty-repository"


@pytest.mark.parametrize(
    ("present", "plan"),
    [
        (KNOWN[:1], retiring(*KNOWN[:1])),
        (UNKNOWN[:4], retiring(*UNKNOWN[:4], placing=1)),
        (KNOWN, retiring(*KNOWN, placing=5)),
        (KNOWN, retiring(*KNOWN[:2])),
        ([*KNOWN, name_of(TOKENS[0], "9.65")], retiring(name_of(TOKENS[0], "9.65"))),
        ([], Plan()),
    ],
    ids=[
        "one broken file",
        "a few unknown ones beside a new one",
        "all replaced",
        "less than half",
        "an older one",
        "nothing",
    ],
)
def test_what_an_honest_plan_retires_is_not_suspicious(present: list[str], plan: Plan) -> None:
    _guard(plan, listing_of(*present))
