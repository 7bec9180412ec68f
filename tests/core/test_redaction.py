"""What is left of an address where people see it, and of texts that quote addresses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core.errors import DocumentError, InputError, Problem
from repo_manager.core.redaction import holds_secret, redacted, shown


@pytest.mark.parametrize(
    ("address", "text"),
    [
        ("https://server/set", "https://server/set"),
        ("https://user:word@Server:443/p?sig=x#f", "https://server/p"),
        ("HTTPS://u:p@[::1]:8443/p", "https://[::1]:8443/p"),
        ("https://u:p@ss@h/p", "https://h/p"),
        ("https://u%40x:p%40@h/p", "https://h/p"),
        ("https://u:p/ss@h/p", "https://..."),
        ("https://user:12/3@h", "https://..."),
        ("https://user:word", "https://..."),
        ("https://user:p?w@h/x", "https://..."),
        ("https://user:p#w@h/x", "https://..."),
        ("http://[::1]:x/", "http://..."),
        ("https:///p?x", "https://..."),
        ("https:\\\\u:p@h\\x?y", "https://h\\x"),
        ("https:/u:p@h/x", "https://h/x"),
        ("https:u:p@h", "https://h"),
        (" https://u:p@h/\t", "https://h/\t"),
        ("https://h/@scope/p", "https://h/@scope/p"),
        ("az://c/p?sv=1&sig=2", "az://c/p"),
        ("s3://K:a/b+c@b/p", "s3://..."),
        ("smb://u:p@h/share", "smb://h/share"),
        (r"\\server\share", r"\\server\share"),
        (r"\\u:p@server\share", r"\\server\share"),
        (r"\\server@SSL@8443\DavWWWRoot", r"\\server@SSL@8443\DavWWWRoot"),
        (r"C:\Agents\a?b#c@d", r"C:\Agents\a?b#c@d"),
        ("/srv/a?b#c@d", "/srv/a?b#c@d"),
        ("/srv/a:b@c/d", "/srv/a:b@c/d"),
        ("C:a@b", "C:a@b"),
        ("user:word@h/x", "h/x"),
        ("user:wo@rd@h/x", "h/x"),
        ("http//u:p@h/x", "http//h/x"),
        ("//u:p@h/x", "//h/x"),
        ("", ""),
    ],
)
def test_an_address_is_shown_without_what_may_be_secret(address: str, text: str) -> None:
    assert shown(address) == text
    assert shown(text) == text


@pytest.mark.parametrize(
    ("text", "redacted_text"),
    [
        ("no address in it: a@b, C:/x", "no address in it: a@b, C:/x"),
        ("https://u:p@h/p?s: no connection", "https://h/p: no connection"),
        ("'https://u:p@h/p?s' (see http://h/q#f).", "'https://h/p' (see http://h/q)."),
        ("https://u:p'w@h/p", "https://h/p"),
        ("https://u:a b@h/p is wrong", "https://h/p is wrong"),
        ("http://h:8443: no connection (a@b)", "http://h:8443: no connection (a@b)"),
        ("http://h: no connection (a@b)", "http://h: no connection (a@b)"),
        ("is https://...: it", "is https://...: it"),
        ("there is no folder https:/u:p@h/x?sig=1", "there is no folder https://h/x"),
        ("there is no folder 'user:word@h/x'", "there is no folder 'h/x'"),
        (r"\\u:p@s\x and \\s\y", r"\\s\x and \\s\y"),
    ],
)
def test_addresses_in_a_text_lose_their_secrets_and_the_rest_stays(text: str, redacted_text: str) -> None:
    assert redacted(text) == redacted_text


@given(st.text(), st.text(), st.text())
def test_no_password_with_a_host_behind_it_is_shown(user: str, word: str, path: str) -> None:
    address = f"https://{user}:S3CRET{word}@server/{path}"
    assert "S3CRET" not in shown(address)
    assert shown(shown(address)) == shown(address)
    assert redacted(shown(address)).startswith("https://")


@pytest.mark.parametrize(
    ("address", "held"),
    [
        ("https://h/p", False),
        ("https://h/@scope", False),
        ("/srv/a@b?c", False),
        (r"\\s\x", False),
        ("https://u@h/p", True),
        ("https://u:p/w@h", True),
        ("https://h/p?", True),
        ("https://h/p#f", True),
        (r"\\u:p@s\x", True),
        ("user:word@h/x", True),
        ("https://H:443/p", False),
        ("--set=https://h/p", False),
        ("--set=https://h/@scope", False),
        ("--set=https://u:p@h/p", True),
        ("--set=https://u:a b/c@h", True),
        ("--set=https://h/p?sig=1", True),
        ("--set=https:/u:p@h/p", True),
        ("--log=C:\\a?b", False),
        ("profile:x", False),
    ],
)
def test_whether_an_address_holds_a_secret(address: str, *, held: bool) -> None:
    assert holds_secret(address) is held


def test_no_error_carries_a_secret_of_an_address() -> None:
    address = "https://u:S3CRET@h/p?sig=S3CRET"
    error = InputError("a", f"{address}: no", f"see {address}")
    assert (error.message, error.hint, str(error)) == ("https://h/p: no", "see https://h/p", "https://h/p: no")
    document = DocumentError("a", address, (Problem(1, 1, f"{address!r} is wrong"),), "")
    assert "S3CRET" not in f"{document}{document.name}{document.problems}{document.args}"
