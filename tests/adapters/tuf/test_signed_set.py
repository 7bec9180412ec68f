"""The layout of a signed set, and how its metadata are read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator import name_of

from repo_manager.adapters.tuf import signed_set
from repo_manager.adapters.tuf.signed_set import SetMember
from repo_manager.core import names
from repo_manager.core.errors import InputError, VerificationError


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        pytest.param("AB" * 32, "ab" * 32, id="in capitals"),
        pytest.param(":".join(["ab"] * 32), "ab" * 32, id="with colons"),
        pytest.param(f" sha256:{'ab' * 32}\n", "ab" * 32, id="with its kind"),
        pytest.param("ab" * 31, None, id="too short"),
        pytest.param("xy" * 32, None, id="other letters"),
        pytest.param("", None, id="nothing"),
    ],
)
def test_a_fingerprint_is_read_as_people_write_it(text: str, digest: str | None) -> None:
    if digest is None:
        with pytest.raises(InputError, match="no sha256"):
            signed_set.digest_of(text)
    else:
        assert signed_set.digest_of(text) == digest


@given(version=st.integers(1, 10**17), role=st.sampled_from(["root", "targets", "snapshot"]))
def test_a_path_of_metadata_reads_back(version: int, role: str) -> None:
    assert signed_set.split_metadata(signed_set.metadata_path(version, role)) == (version, role)


@given(st.text())
def test_no_text_is_taken_for_an_installers_path_that_is_none(text: str) -> None:
    path = f"targets/{'0' * 64}.{text}"
    try:
        name = names.parse(text)
    except InputError:
        assert not signed_set.is_payload(path)
    else:
        assert signed_set.is_payload(path) == (SetMember(name, "0" * 64, 1).path == path)


@given(st.binary(max_size=400))
def test_no_bytes_bring_the_reader_down(data: bytes) -> None:
    with pytest.raises(VerificationError) as failure:
        signed_set.read_metadata(data, "root", "somewhere")
    assert failure.value.code == "malformed-set"


def test_a_set_says_where_its_installers_lie() -> None:
    name = names.parse(name_of("Windows"))

    assert SetMember(name, "0" * 64, 1).path == f"targets/{'0' * 64}.{name}"
    assert SetMember(name, None, 1).path == name.text
