from __future__ import annotations

from datetime import UTC, datetime

import pytest

from repo_manager.core import names
from repo_manager.core.audit.findings import Code, FileVerdict, Severity
from repo_manager.core.audit.signature_policy import (
    Rules,
    Signature,
    SignaturePolicy,
    SignatureState,
    Signer,
    Trust,
    shown,
)
from repo_manager.core.names import WINDOWS, Token

NOW = datetime(2026, 6, 1, tzinfo=UTC)
US, THEM = "Example Agents", "Somebody Else"

GOOD = Signer(US, Trust.TRUSTED)
BY_OTHERS = Signer(THEM, Trust.TRUSTED)
ASTRAY = Signer(US, Trust.UNTRUSTED, "the certificate does not lead to a trusted root")
BY_NAME = Signer(US, Trust.UNCHECKED)
STRANGE = Signer("", Trust.UNTRUSTED, "it is damaged")
OVER = Signer(US, Trust.TRUSTED, since=datetime(2020, 1, 1, tzinfo=UTC), until=datetime(2022, 1, 1, tzinfo=UTC))
EARLY = Signer(US, Trust.TRUSTED, since=datetime(2027, 1, 1, tzinfo=UTC), until=datetime(2028, 1, 1, tzinfo=UTC))

UNSIGNED = Signature(SignatureState.UNSIGNED)
TAMPERED = Signature(SignatureState.TAMPERED, "its bytes are not those that were signed")


def by(*signers: Signer) -> Signature:
    return Signature(SignatureState.SIGNED, signers=signers)


def rules(asked: SignaturePolicy | None = None, publisher: str | None = None, *, changing: bool = False) -> Rules:
    return Rules(asked=asked, changing=changing, publisher=publisher)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(rules(), SignaturePolicy.WARN, id="an audit warns"),
        pytest.param(rules(changing=True), SignaturePolicy.WARN, id="a change warns where nobody is expected"),
        pytest.param(rules(publisher=US), SignaturePolicy.WARN, id="an audit warns whoever is expected"),
        pytest.param(
            rules(publisher=US, changing=True), SignaturePolicy.REQUIRE, id="a change requires who is expected"
        ),
        pytest.param(
            rules(SignaturePolicy.WARN, US, changing=True), SignaturePolicy.WARN, id="the operator's word counts"
        ),
        pytest.param(rules(SignaturePolicy.OFF, US, changing=True), SignaturePolicy.OFF, id="also when it is off"),
        pytest.param(rules(SignaturePolicy.REQUIRE), SignaturePolicy.REQUIRE, id="also where nobody is expected"),
    ],
)
def test_the_policy_follows_from_who_asks_and_who_is_expected(given: Rules, expected: SignaturePolicy) -> None:
    assert given.policy(WINDOWS) is expected


def test_the_operators_publisher_beats_the_catalogs() -> None:
    catalog = {WINDOWS: THEM}
    assert Rules(publishers=catalog).expected(WINDOWS) == THEM
    assert Rules(publishers=catalog).expected(Token("Other")) is None
    assert Rules(publisher=US, publishers=catalog).expected(WINDOWS) == US


@pytest.mark.parametrize(
    ("name", "asked", "concern"),
    [
        ("Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe", None, True),
        ("Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe", SignaturePolicy.OFF, False),
        ("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz", SignaturePolicy.REQUIRE, False),
    ],
    ids=["a program", "nothing is asked", "an archive has no signature"],
)
def test_only_programs_are_looked_at(name: str, asked: SignaturePolicy | None, concern: bool) -> None:  # noqa: FBT001 - a row
    assert rules(asked).concern(names.parse(name)) is concern


GOOD_BY_US = FileVerdict(signer=US)

# facts, publisher, what it means under `require`, what under `warn`: a code, or nothing for a good file
MATRIX = [
    pytest.param(UNSIGNED, None, Code.UNSIGNED, Code.UNSIGNED, "has no signature", id="unsigned"),
    pytest.param(UNSIGNED, US, Code.UNSIGNED, Code.UNSIGNED, "one by Example Agents is expected", id="unsigned, us"),
    pytest.param(TAMPERED, None, Code.TAMPERED, Code.TAMPERED, "not those that were signed", id="tampered"),
    pytest.param(by(GOOD), None, None, None, "", id="signed by a trusted one, whoever it is"),
    pytest.param(by(GOOD), US, None, None, "", id="signed by the expected one"),
    pytest.param(by(BY_OTHERS), US, Code.OTHER_PUBLISHER, Code.OTHER_PUBLISHER, "not by Example Agents", id="others"),
    pytest.param(by(ASTRAY), None, Code.OTHER_PUBLISHER, Code.OTHER_PUBLISHER, "to a trusted root", id="astray"),
    pytest.param(by(ASTRAY), US, Code.OTHER_PUBLISHER, Code.OTHER_PUBLISHER, "to a trusted root", id="astray, us"),
    pytest.param(by(BY_NAME), US, Code.OTHER_PUBLISHER, None, "there is no trusted root", id="a name proves nothing"),
    pytest.param(by(STRANGE), None, Code.OTHER_PUBLISHER, Code.OTHER_PUBLISHER, "cannot be checked", id="strange"),
    pytest.param(by(OVER), US, Code.OTHER_PUBLISHER, Code.OTHER_PUBLISHER, "not valid after 2022-01-01", id="over"),
    pytest.param(by(EARLY), US, Code.OTHER_PUBLISHER, Code.OTHER_PUBLISHER, "not valid before 2027-01-01", id="early"),
    pytest.param(by(BY_OTHERS, GOOD), US, None, None, "", id="the expected one signed too"),
    pytest.param(by(STRANGE, GOOD), US, None, None, "", id="one of two can be checked"),
    pytest.param(by(ASTRAY, BY_NAME), US, Code.OTHER_PUBLISHER, None, "no trusted root", id="neither will do"),
]


@pytest.mark.parametrize(("facts", "publisher", "strict", "lenient", "words"), MATRIX)
def test_facts_become_a_verdict_by_policy(
    facts: Signature, publisher: str | None, strict: Code | None, lenient: Code | None, words: str
) -> None:
    required = rules(SignaturePolicy.REQUIRE, publisher).verdict(WINDOWS, facts, NOW)
    assert (required.code, required.good) == (strict, strict is None)
    assert words in required.message
    warned = rules(SignaturePolicy.WARN, publisher).verdict(WINDOWS, facts, NOW)
    assert warned.code is lenient
    assert warned.good is (lenient is not Code.TAMPERED)
    if lenient is not None:
        assert warned.severity is (Severity.ERROR if lenient is Code.TAMPERED else Severity.WARNING)
    assert rules(SignaturePolicy.OFF, publisher).verdict(WINDOWS, facts, NOW) == FileVerdict()


@pytest.mark.parametrize("facts", [UNSIGNED, by(BY_OTHERS), by(ASTRAY), by(BY_NAME), by(STRANGE), by(OVER)])
@pytest.mark.parametrize("changing", [False, True], ids=["audit", "change"])
def test_where_nobody_asked_and_nobody_is_expected_only_spoilt_bytes_count(
    facts: Signature,
    changing: bool,  # noqa: FBT001 - a row
) -> None:
    assert rules(changing=changing).verdict(WINDOWS, facts, NOW).code is None
    assert rules(changing=changing).verdict(WINDOWS, TAMPERED, NOW).code is Code.TAMPERED


@pytest.mark.parametrize(
    ("facts", "signer"),
    [(by(GOOD), US), (by(BY_NAME), ""), (by(ASTRAY), ""), (by(OVER), ""), (UNSIGNED, "")],
    ids=["proven", "a name alone", "astray", "over", "nobody"],
)
def test_a_signer_is_named_only_where_it_is_proven(facts: Signature, signer: str) -> None:
    assert rules().verdict(WINDOWS, facts, NOW).signer == signer


def test_a_signature_without_a_timestamp_ends_with_its_certificate() -> None:
    facts = by(OVER)
    assert rules(SignaturePolicy.REQUIRE, US).verdict(WINDOWS, facts, datetime(2021, 1, 1, tzinfo=UTC)) == GOOD_BY_US
    assert rules(SignaturePolicy.REQUIRE, US).verdict(WINDOWS, facts, NOW).code is Code.OTHER_PUBLISHER


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Example Agents", "Example Agents"),
        ("Soci\xe9t\xe9", r"Soci\xe9t\xe9"),
        ("a\x1b[2Jb\n", r"a\x1b[2Jb\n"),
        ("x" * 99, "x" * 80),
    ],
    ids=["plain", "not ASCII", "control characters", "long"],
)
def test_a_name_out_of_a_certificate_cannot_do_anything_to_a_console(name: str, text: str) -> None:
    assert shown(name) == text
