from __future__ import annotations

import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest
from signed_programs import OTHER_ROOT, PUBLISHER, ROOT, flipped, program, signed

from repo_manager.adapters.installers.signature import Roots, Signatures, available
from repo_manager.core import names
from repo_manager.core.audit.signature_policy import Rules, Signature, SignaturePolicy, SignatureState
from repo_manager.core.errors import InputError, VerificationError
from repo_manager.core.names import WINDOWS

if TYPE_CHECKING:
    from pathlib import Path

NAME = names.parse("Microsoft-ASR_UA_9.66.7567.1_Windows_GA_20Sep2025_release.exe")
ARCHIVE = names.parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
NOW = datetime(2026, 6, 1, tzinfo=UTC)
ELSEWHERE = pytest.mark.skipif(sys.platform == "win32", reason="Windows has roots of its own")


def checks(
    asked: SignaturePolicy | None = None,
    publisher: str | None = None,
    *,
    roots: Path | None = ROOT,
    changing: bool = True,
) -> Signatures:
    return Signatures(Rules(asked, changing, publisher), Roots(roots), lambda: NOW)


def put(folder: Path, data: bytes) -> Path:
    path = folder / "part"
    path.write_bytes(data)
    return path


@pytest.fixture
def no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine without the extra: Python refuses to import what is None here."""
    monkeypatch.setitem(sys.modules, "lief", None)
    monkeypatch.delitem(sys.modules, "repo_manager.adapters.installers.authenticode", raising=False)


@pytest.mark.parametrize(
    ("data", "asked", "publisher", "code"),
    [
        (signed("good"), SignaturePolicy.REQUIRE, PUBLISHER, None),
        (signed("good"), None, PUBLISHER, None),
        (signed("expired-stamped"), None, PUBLISHER, None),
        (program(), None, PUBLISHER, "unsigned"),
        (program(), SignaturePolicy.REQUIRE, None, "unsigned"),
        (signed("somebody-else"), None, PUBLISHER, "other-publisher"),
        (signed("other-root"), None, PUBLISHER, "other-publisher"),
        (signed("expired"), None, PUBLISHER, "other-publisher"),
        (flipped(signed("good"), 0x250), None, None, "tampered"),
        (flipped(signed("good"), 0x250), SignaturePolicy.WARN, None, "tampered"),
        (flipped(signed("good"), 0x250), SignaturePolicy.OFF, PUBLISHER, None),
        (program(), SignaturePolicy.OFF, PUBLISHER, None),
        (program(), None, None, None),
        (signed("somebody-else"), None, None, None),
    ],
)
def test_a_file_on_its_way_in_is_refused_by_policy(
    tmp_path: Path, data: bytes, asked: SignaturePolicy | None, publisher: str | None, code: str | None
) -> None:
    found = checks(asked, publisher)
    if code is None:
        found.check(put(tmp_path, data), NAME)
        assert not list(found.remarks())
        return
    with pytest.raises(VerificationError) as refused:
        found.check(put(tmp_path, data), NAME)
    assert refused.value.code == code
    assert str(NAME) in refused.value.message
    assert refused.value.hint


def test_what_is_let_pass_with_a_warning_is_named(tmp_path: Path) -> None:
    found = checks(SignaturePolicy.WARN, PUBLISHER)
    assert found.check(put(tmp_path, program()), NAME) == Signature(
        SignatureState.UNSIGNED, roots=Roots(ROOT).fingerprint
    )
    assert list(found.remarks()) == [f"{NAME} has no signature; one by {PUBLISHER} is expected"]


def test_an_archive_is_not_looked_at(tmp_path: Path) -> None:
    assert checks(SignaturePolicy.REQUIRE, PUBLISHER).check(put(tmp_path, program()), ARCHIVE) is None


@ELSEWHERE
def test_without_roots_a_name_is_compared_and_that_is_said(tmp_path: Path) -> None:
    found = checks(SignaturePolicy.WARN, PUBLISHER, roots=None)
    found.check(put(tmp_path, signed("other-root")), NAME)
    (remark,) = found.remarks()
    assert "proves nothing" in remark
    found.check(put(tmp_path, signed("somebody-else")), NAME)
    assert any("not by Example Agents" in remark for remark in found.remarks())


@ELSEWHERE
def test_without_roots_nothing_can_be_required(tmp_path: Path) -> None:
    for found in (checks(SignaturePolicy.REQUIRE, roots=None), checks(None, PUBLISHER, roots=None)):
        with pytest.raises(InputError) as refused:
            found.insist()
        assert (refused.value.code, "signature_roots" in refused.value.hint) == ("no-signature-roots", True)
        with pytest.raises(InputError, match="no trusted root"):
            found.check(put(tmp_path, signed("good")), NAME)


@pytest.mark.parametrize(
    ("asked", "publisher", "changing"),
    [
        (SignaturePolicy.WARN, PUBLISHER, True),
        (SignaturePolicy.OFF, PUBLISHER, True),
        (None, None, True),
        (None, PUBLISHER, False),
    ],
    ids=["warn", "off", "nobody is expected", "an audit"],
)
def test_nothing_is_insisted_on_where_nothing_is_required(
    no_library: None,
    asked: SignaturePolicy | None,
    publisher: str | None,
    changing: bool,  # noqa: FBT001 - a row
) -> None:
    checks(asked, publisher, roots=None, changing=changing).insist()


def test_without_the_library_the_names_of_what_was_not_checked_are_kept(tmp_path: Path, no_library: None) -> None:
    assert not available()
    found = checks(roots=None)
    assert found.check(put(tmp_path, flipped(signed("good"), 0x250)), NAME) is None
    assert found.check(put(tmp_path, b""), ARCHIVE) is None
    (remark,) = found.remarks()
    assert str(NAME) in remark
    assert 'pip install "asr-repo-manager[signatures]"' in remark


def test_without_the_library_nothing_can_be_required(tmp_path: Path, no_library: None) -> None:
    for found in (checks(SignaturePolicy.REQUIRE), checks(None, PUBLISHER)):
        with pytest.raises(InputError) as refused:
            found.insist()
        assert refused.value.code == "no-signature-library"
        assert "asr-repo-manager[signatures]" in refused.value.hint
        with pytest.raises(InputError, match="not installed"):
            found.check(put(tmp_path, program()), NAME)


def test_what_is_known_by_other_roots_must_be_looked_at_again(tmp_path: Path) -> None:
    path = put(tmp_path, signed("good"))
    before, after = checks(publisher=PUBLISHER), checks(publisher=PUBLISHER, roots=OTHER_ROOT)
    facts = before.examine(path)
    assert not before.wanted(NAME, facts)
    assert after.wanted(NAME, facts)
    assert after.verdict(NAME, facts) is None
    changed = after.verdict(NAME, after.examine(path))
    assert changed is not None
    assert changed.code == "other-publisher"


def test_facts_outlive_a_change_of_what_is_expected(tmp_path: Path) -> None:
    facts = checks().examine(put(tmp_path, signed("good")))
    for asked, publisher, good in (
        (None, None, True),
        (None, PUBLISHER, True),
        (SignaturePolicy.REQUIRE, "Others", False),
    ):
        found = checks(asked, publisher)
        assert not found.wanted(NAME, facts)
        verdict = found.verdict(NAME, facts)
        assert verdict is not None
        assert verdict.good is good
    assert checks(SignaturePolicy.OFF).verdict(NAME, facts) is None


@pytest.mark.skipif(sys.platform != "win32", reason="only Windows has a store of such roots")
def test_windows_has_roots_of_its_own() -> None:
    roots = Roots(None)
    assert roots.certificates
    assert roots.fingerprint != "none"
    assert roots.anchors.fingerprint == roots.fingerprint


@ELSEWHERE
def test_other_systems_have_no_roots_for_programs() -> None:
    assert (Roots(None).certificates, Roots(None).fingerprint) == ((), "none")


def test_roots_are_read_from_a_file_and_from_a_folder(tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(b"Some words\n" + ROOT.read_bytes() + b"\n" + OTHER_ROOT.read_bytes())
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "a.pem").write_bytes(ROOT.read_bytes())
    (folder / "b.CRT").write_bytes(OTHER_ROOT.read_bytes())
    (folder / "notes.txt").write_bytes(b"-----BEGIN CERTIFICATE-----\nnone\n")
    assert len(Roots(both).certificates) == 2
    assert set(Roots(folder).certificates) == set(Roots(both).certificates)
    assert Roots(folder).fingerprint == Roots(both).fingerprint != Roots(ROOT).fingerprint


def test_a_root_that_cannot_be_read_as_a_certificate_is_passed_over(tmp_path: Path) -> None:
    odd = tmp_path / "odd.pem"
    odd.write_bytes(b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n" + ROOT.read_bytes())
    roots = Roots(odd)
    found = Signatures(Rules(SignaturePolicy.REQUIRE), roots, lambda: NOW)
    assert found.check(put(tmp_path, signed("good")), NAME) is not None


@pytest.mark.parametrize(
    "content",
    [None, b"", b"no certificate", b"-----BEGIN CERTIFICATE-----\nA\n-----END CERTIFICATE-----\n", b"\xff\xfe\x00"],
    ids=["no file", "empty", "something else", "damaged", "not text"],
)
def test_roots_that_were_named_and_are_none_are_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "roots.pem"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError) as refused:
        _ = Roots(path).certificates
    assert refused.value.code == "no-signature-roots"
    assert str(path) in refused.value.message


def test_only_programs_of_the_catalog_s_publishers_are_required(tmp_path: Path) -> None:
    found = Signatures(Rules(None, changing=True, publishers={WINDOWS: PUBLISHER}), Roots(ROOT), lambda: NOW)
    with pytest.raises(VerificationError, match="has no signature"):
        found.check(put(tmp_path, program()), NAME)
