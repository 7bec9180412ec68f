from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator import REAL, listing_of, name_of

from repo_manager.core import repository
from repo_manager.core.names import Token
from repo_manager.core.repository import FileKind, FolderEntry

NEW = name_of("RHEL9-64")
OLD = name_of("RHEL9-64", "9.65")


@pytest.mark.parametrize(
    ("name", "kind", "takable"),
    [
        pytest.param(NEW, FileKind.INSTALLER, False, id="a published name"),
        pytest.param(name_of("RHEL99-64"), FileKind.INSTALLER, False, id="a token nobody knows"),
        pytest.param("RHEL9-64_pushinstallclient.tar.gz", FileKind.PUSH_CLIENT, False, id="push client"),
        pytest.param(
            "rhel99-64_PushInstallClient.TAR.GZ", FileKind.PUSH_CLIENT, False, id="push client, case and token"
        ),
        pytest.param("RHEL9-64_pushinstallclient.tar.gz.bak", FileKind.STRAY, True, id="backup of a push client"),
        pytest.param(f"{NEW}.part", FileKind.PARTIAL, True, id="cut off"),
        pytest.param(f"{NEW}.CRDOWNLOAD", FileKind.PARTIAL, True, id="a browser is at it"),
        pytest.param(f"{NEW}.sha256", FileKind.STRAY, True, id="digest beside"),
        pytest.param(f"Copy of {NEW}", FileKind.STRAY, True, id="copy"),
        pytest.param("agent for RHEL9-64.tar.gz", FileKind.STRAY, True, id="token as a word"),
        pytest.param("agent-rhel9-64.zip", FileKind.STRAY, True, id="token in another case"),
        pytest.param("CENTOS7-64.tar.gz", FileKind.STRAY, True, id="the shape of a token"),
        pytest.param("XRHEL9-64.zip", FileKind.STRAY, False, id="token inside a word"),
        pytest.param("RHEL9-641.zip", FileKind.STRAY, False, id="token with a digit more"),
        pytest.param("Microsoft-ASR_CX_9.66.0.0_x.exe", FileKind.STRAY, True, id="another component of the product"),
        pytest.param("old_Windows_agent.zip", FileKind.STRAY, True, id="Windows as a field"),
        pytest.param("Windows update.log", FileKind.STRAY, False, id="Windows as a word"),
        pytest.param("movie.part", FileKind.STRAY, False, id="a part of something else"),
        pytest.param("who-to-call.txt", FileKind.STRAY, False, id="foreign"),
        pytest.param("CON", FileKind.STRAY, False, id="a device of Windows"),
        pytest.param(f"\u202e{NEW}", FileKind.STRAY, True, id="right-to-left override"),
        pytest.param("\udcff", FileKind.STRAY, False, id="half of a surrogate pair"),
        pytest.param(f"{NEW}.", FileKind.STRAY, True, id="trailing dot"),
        pytest.param(f"{NEW}:stream", FileKind.STRAY, True, id="alternate stream"),
        pytest.param("a" * 255, FileKind.STRAY, False, id="255 characters"),
        pytest.param("é" * 127, FileKind.STRAY, False, id="254 bytes"),
    ],
)
def test_every_file_is_one_of_four_kinds(name: str, kind: FileKind, takable: bool) -> None:  # noqa: FBT001 - a row
    (file,) = listing_of(name).files
    assert (file.name, file.kind, file.takable) == (name, kind, takable)
    assert (file.installer is not None) == (kind is FileKind.INSTALLER)
    assert bool(file.reason) == (kind in {FileKind.STRAY, FileKind.PARTIAL})


def test_a_link_under_a_published_name_is_no_installer() -> None:
    (file,) = listing_of(links=[NEW]).files
    assert (file.kind, file.takable, file.reason) == (FileKind.STRAY, True, "is a link or a device, not a file")
    assert not listing_of(links=[NEW]).by_token


def test_the_installers_of_a_package_come_newest_first() -> None:
    listing = listing_of(OLD, name_of("RHEL9-64", date="22Sep2025"), name_of("OL6-64"), NEW)
    found = {token: [name.text for name, _ in files] for token, files in listing.by_token.items()}
    assert found == {
        "OL6-64": [name_of("OL6-64")],
        "RHEL9-64": [name_of("RHEL9-64", date="22Sep2025"), NEW, OLD],
    }
    newest = listing.newest(Token("RHEL9-64"))
    assert newest is not None
    assert newest.text == name_of("RHEL9-64", date="22Sep2025")


def test_a_package_without_installers_has_no_newest() -> None:
    assert listing_of().newest(Token("RHEL9-64")) is None


@pytest.mark.parametrize(
    ("present", "wanted", "found"),
    [
        (["a.txt"], "A.TXT", "a.txt"),
        (["A.txt", "a.txt"], "a.txt", "a.txt"),
        (["A.txt", "a.txt"], "A.txt", "A.txt"),
        (["A.txt", "a.txt"], "a.TXT", "A.txt"),
        (["a.txt"], "b.txt", None),
    ],
    ids=["another case", "lower twin", "upper twin", "neither twin", "none"],
)
def test_a_file_is_found_by_its_very_name_or_else_without_regard_to_case(
    present: list[str], wanted: str, found: str | None
) -> None:
    file = listing_of(*present).find(wanted)
    assert (file.name if file else None) == found


@given(st.lists(st.text(min_size=1, max_size=40), unique=True))
def test_a_survey_keeps_every_entry_and_sorts_by_name(file_names: list[str]) -> None:
    listing = repository.survey("/r", [FolderEntry(name, 1) for name in file_names])
    assert [file.name for file in listing.files] == sorted(file_names)


@pytest.mark.parametrize("token", REAL.packages)
def test_a_name_that_carries_a_token_of_the_catalog_could_be_taken_for_a_package(token: str) -> None:
    (file,) = listing_of(f"old_{token}_copy.bin").files
    assert file.takable


def test_windows_alone_is_an_everyday_word() -> None:
    (file,) = listing_of("how to patch Windows.txt").files
    assert not file.takable
