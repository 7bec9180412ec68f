from __future__ import annotations

from pathlib import Path, PurePosixPath, PureWindowsPath
from urllib.parse import unquote_to_bytes, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.report.uris import reference, segment


@pytest.mark.parametrize(
    ("path", "expected", "reason"),
    [
        ("/srv/repository", "file:///srv/repository", "POSIX"),
        ("/srv/a b/100%#1?", "file:///srv/a%20b/100%25%231%3F", "what has a meaning in a URI"),
        ("/srv/C:\\x", "file:///srv/C%3A%5Cx", "a backslash is a character there"),
        ("C:\\ASR\\push install", "file:///C:/ASR/push%20install", "a drive"),
        ("d:/asr", "file:///D:/asr", "drives have no case"),
        ("C:\\", "file:///C:/", "a whole drive"),
        ("\\\\server\\share\\a b", "file://server/share/a%20b", "a share"),
        ("\\\\?\\C:\\ASR", "file:///C:/ASR", "the extended form of a drive"),
        ("\\\\?\\UNC\\server\\share\\x", "file://server/share/x", "the extended form of a share"),
        ("exports/vinfo.csv", "exports/vinfo.csv", "relative"),
        ("exports\\vinfo.csv", "exports/vinfo.csv", "relative, on Windows"),
        ("a:b.csv", "a%3Ab.csv", "the first segment of a relative reference has no colon"),
        ("\u00fcbung.csv", "%C3%BCbung.csv", "UTF-8"),
        ("x\udcff.csv", "x%FF.csv", "a byte that is no text"),
        ("x\ud800.csv", "x%ED%A0%80.csv", "half a character, which NTFS lets be"),
    ],
)
def test_a_path_becomes_a_reference(path: str, expected: str, reason: str) -> None:
    del reason
    assert reference(path) == expected


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/\\"), min_size=1))
def test_a_posix_path_comes_back(name: str) -> None:
    uri = reference(f"/srv/{name}")
    assert uri.isascii()
    parts = urlsplit(uri)
    assert (parts.scheme, parts.netloc, parts.query, parts.fragment) == ("file", "", "", "")
    assert unquote_to_bytes(parts.path).decode() == f"/srv/{name}"


@pytest.mark.parametrize("path", ["C:\\a b\\c#d", "\\\\server\\share\\a%b"])
def test_windows_paths_mean_what_the_standard_library_means(path: str) -> None:
    ours, theirs = (urlsplit(uri) for uri in (reference(path), PureWindowsPath(path).as_uri()))
    assert (ours.netloc, unquote_to_bytes(ours.path)) == (theirs.netloc, unquote_to_bytes(theirs.path))


def test_posix_paths_mean_what_the_standard_library_means(tmp_path: Path) -> None:
    path = PurePosixPath("/srv/a b/[c]~d")
    assert unquote_to_bytes(reference(str(path))) == unquote_to_bytes(path.as_uri())


@given(st.text(min_size=1))
def test_a_segment_has_nothing_that_divides(name: str) -> None:
    assert not set(segment(name)) & set("/?#:\\ ")
