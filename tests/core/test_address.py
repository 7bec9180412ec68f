"""Addresses: what kind each is, which are refused, and what is printed of them."""

from __future__ import annotations

import contextlib
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core.address import Address, Folder, ObjectStore, Web, host_of, parse, refuse_share
from repo_manager.core.errors import InputError, NoSmbClientError

SECRET: Final = "hunter2"  # noqa: S105 - looked for in what is printed


@pytest.mark.parametrize(
    ("text", "address", "printed"),
    [
        ("/srv/asr", Folder("/srv/asr"), "/srv/asr"),
        ("sets", Folder("sets"), "sets"),
        (" odd ", Folder(" odd "), " odd "),
        ("//server/share", Folder("//server/share"), "//server/share"),
        (r"D:\sets\asr", Folder(r"D:\sets\asr"), r"D:\sets\asr"),
        ("/srv/a://b", Folder("/srv/a://b"), "/srv/a://b"),
        ("https://server/asr", Web("https://server/asr", "https", "server", "server"), "https://server/asr"),
        (
            "HTTP://Server:8080/asr/",
            Web("HTTP://Server:8080/asr/", "http", "server", "server:8080"),
            "http://server:8080/asr/",
        ),
        (" https://server:443 ", Web("https://server:443", "https", "server", "server"), "https://server"),
        ("https://[::1]:8443/x", Web("https://[::1]:8443/x", "https", "::1", "[::1]:8443"), "https://[::1]:8443/x"),
        ("az://sets", ObjectStore("az", "sets", "", "az://sets"), "az://sets"),
        ("az://$web/asr/", ObjectStore("az", "$web", "asr", "az://$web/asr/"), "az://$web/asr/"),
        ("S3://my.bucket/a/b", ObjectStore("s3", "my.bucket", "a/b", "S3://my.bucket/a/b"), "s3://my.bucket/a/b"),
    ],
)
def test_an_address_has_a_kind_and_is_printed(text: str, address: Address, printed: str) -> None:
    assert parse(text, windows=False) == parse(text, windows=True) == address
    assert parse(text, secrets=True) == address
    assert str(address) == printed


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "unknown-source"),
        ("  ", "unknown-source"),
        ("ftp://server/asr", "unknown-source"),
        ("file:///srv/asr", "unknown-source"),
        (f"ftp://me:{SECRET}@server/asr", "unknown-source"),
        ("https://", "unknown-source"),
        ("https:///asr", "unknown-source"),
        ("az://", "unknown-source"),
        ("az:/sets/asr", "unknown-source"),
        ("S3:bucket", "unknown-source"),
        ("https:/server/asr", "unknown-source"),
        (f"https:/me:{SECRET}@server/asr", "unknown-source"),
        ("https:\\\\server\\asr", "unknown-source"),
        ("http://127.0.0.1:99999/asr", "bad-address"),
        ("http://127.0.0.1:abc", "bad-address"),
        ("http://ex ample/", "bad-address"),
        ("http://[::1/", "bad-address"),
        (f"https://me:{SECRET}", "bad-address"),
        (f"https://me:{SECRET}@server/asr", "secret-in-source"),
        (f"https://me:{SECRET}/x@server/asr", "secret-in-source"),
        (f"https://server/asr?sig={SECRET}", "secret-in-source"),
        (f"https://server/asr#{SECRET}", "secret-in-source"),
        (f"az://sets/asr?sig={SECRET}", "secret-in-source"),
        (f"s3://key:{SECRET}@bucket/asr", "secret-in-source"),
        (f"me:{SECRET}@server/asr", "secret-in-source"),
    ],
)
def test_what_is_no_address_or_holds_a_secret_is_refused_without_it(text: str, code: str) -> None:
    with pytest.raises(InputError) as failure:
        parse(text)

    assert (failure.value.code, failure.value.exit_code) == (code, 2)
    assert failure.value.hint
    assert SECRET not in failure.value.message + failure.value.hint
    assert failure.value.__cause__ is None or SECRET not in str(failure.value)


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        (f"https://me:{SECRET}@server/asr?sig={SECRET}#{SECRET}", "https://server/asr"),
        (f"me:{SECRET}@server/asr", "server/asr"),
        (f"az://sets/asr?sig={SECRET}", "az://sets/asr"),
    ],
)
def test_where_secrets_are_allowed_they_are_kept_and_not_printed(text: str, printed: str) -> None:
    address = parse(text, secrets=True)

    assert str(address) == printed
    assert SECRET in text
    if isinstance(address, Web):
        assert address.url == text
        assert SECRET not in repr(address)


@pytest.mark.parametrize(
    ("text", "elsewhere", "windows"),
    [
        (r"\\files\asr", True, False),
        (r"\\?\UNC\files\asr", True, False),
        (r"\\?\C:\agents", True, False),
        ("smb://files/asr", True, True),
        ("SMB://files/asr", True, True),
        (f"smb://me:{SECRET}@files/asr", True, True),
        ("smb:/files/asr", True, True),
        ("//files/asr", False, False),
        (r"C:\agents", False, False),
        ("smb", False, False),
    ],
)
def test_what_only_an_smb_client_could_open_is_refused(text: str, *, elsewhere: bool, windows: bool) -> None:
    for on_windows, refused in ((False, elsewhere), (True, windows)):
        for read in (parse, refuse_share):
            with pytest.raises(NoSmbClientError) if refused else contextlib.nullcontext() as failure:
                read(text, windows=on_windows)
            if failure is not None:
                assert failure.value.code == "no-smb-client"
                assert "docs/how-to/mount-a-share.md" in failure.value.hint
                assert SECRET not in failure.value.message


def test_on_windows_a_unc_path_is_a_folder() -> None:
    assert parse(r"\\files\asr", windows=True) == Folder(r"\\files\asr")


def test_on_windows_a_unc_path_with_a_password_is_refused() -> None:
    with pytest.raises(InputError) as failure:
        parse(rf"\\me:{SECRET}@files\asr", windows=True)

    assert failure.value.code == "secret-in-source"
    assert SECRET not in failure.value.message


@given(st.text(), st.booleans(), st.booleans())
def test_every_text_is_an_address_or_refused(text: str, secrets: bool, windows: bool) -> None:  # noqa: FBT001 - drawn
    with contextlib.suppress(InputError):
        address = parse(text, secrets=secrets, windows=windows)
        assert isinstance(address, Folder | Web | ObjectStore)


@given(st.sampled_from(["https", "http", "az", "s3", "ftp", "smb"]), st.text(), st.text(), st.text())
def test_no_password_before_a_host_is_printed(scheme: str, user: str, word: str, path: str) -> None:
    text = f"{scheme}://{user}:S3CRET{word}@server/{path}"
    for secrets in (False, True):
        try:
            printed = str(parse(text, secrets=secrets))
        except InputError as error:
            printed = error.message + error.hint
        assert "S3CRET" not in printed


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("https://Server/x", "server"),
        ("http://server:80", "server"),
        ("http://server:443", "server:443"),
        ("https://[::1]:8443/", "[::1]:8443"),
        ("https://[::1", ""),
        ("https://server:x", ""),
        ("server/x", ""),
        ("", ""),
    ],
)
def test_the_host_of_a_url(url: str, host: str) -> None:
    assert host_of(url) == host
