"""Shares as far as no server is needed: names, credentials, and servers that are none."""

from __future__ import annotations

import os
import socket
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Final

import pytest

from repo_manager.adapters.sources import smb, smb_errors
from repo_manager.adapters.sources.smb import Credentials, Patience, Shares
from repo_manager.core.errors import InputError, TransferError
from repo_manager.core.names import parse

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

NAME: Final = parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
SECRET: Final = "hunter2"  # noqa: S105 - looked for in what is said

needs_library = pytest.mark.skipif(
    sys.platform == "win32", reason="Windows opens shares by itself and is tested without the extra"
)


@pytest.mark.parametrize(
    ("text", "elsewhere", "windows"),
    [
        (r"\\files\asr", True, False),  # Windows opens it itself
        (r"\\files\asr\9.66", True, False),
        (r"\\?\C:\agents", True, False),
        ("smb://files/asr", True, True),  # nobody else can open it
        ("SMB://files/asr", True, True),
        ("//files/asr", False, False),  # a local path on Linux
        ("/mnt/asr", False, False),
        (r"C:\agents", False, False),
        (r"\agents", False, False),
        ("https://files.example.com/asr", False, False),
        ("smb", False, False),
        ("", False, False),
    ],
)
def test_what_counts_as_a_share(text: str, *, elsewhere: bool, windows: bool) -> None:
    assert (smb.is_share(text, windows=False), smb.is_share(text, windows=True)) == (elsewhere, windows)


@pytest.mark.parametrize(
    ("text", "server", "port", "share", "path", "place"),
    [
        (r"\\files\asr", "files", 445, "asr", "N", r"\\files\asr\N"),
        (r"\\files\asr\9.66" + "\\", "files", 445, "asr", r"9.66\N", r"\\files\asr\9.66\N"),
        (r"\\FILES\Asr\My Files", "files", 445, "Asr", r"My Files\N", r"\\FILES\Asr\My Files\N"),
        (r"\\files/asr/9.66", "files", 445, "asr", r"9.66\N", r"\\files/asr/9.66\N"),
        (r"\\files\asr\50%25", "files", 445, "asr", r"50%25\N", r"\\files\asr\50%25\N"),
        ("smb://files/asr", "files", 445, "asr", "N", "smb://files/asr/N"),
        ("smb://files:4450/asr/9.66/", "files", 4450, "asr", r"9.66\N", "smb://files:4450/asr/9.66/N"),
        ("SMB://Files/asr//./x", "files", 445, "asr", r"x\N", "SMB://Files/asr//./x/N"),
        (
            "smb://files/asr/B%C3%BCro%20S%23d",
            "files",
            445,
            "asr",
            "Büro S#d\\N",
            "smb://files/asr/B%C3%BCro%20S%23d/N",
        ),
        ("smb://files/asr/Büro Süd", "files", 445, "asr", "Büro Süd\\N", "smb://files/asr/Büro Süd/N"),
        ("smb://[fe80::1]:4450/asr", "fe80::1", 4450, "asr", "N", "smb://[fe80::1]:4450/asr/N"),
        ("smb://10.0.0.7/asr", "10.0.0.7", 445, "asr", "N", "smb://10.0.0.7/asr/N"),
    ],
)
def test_a_folder_on_a_share_is_found(text: str, *, server: str, port: int, share: str, path: str, place: str) -> None:
    location = smb.locate(text)

    assert (location.share.server, location.share.port, location.share.name) == (server, port, share)
    assert location.path("N") == path
    assert location.place("N") == smb.join(text, "N") == place


@pytest.mark.parametrize(
    "text",
    [
        r"\\files",  # no share
        "\\\\files\\",
        r"\\",
        r"\\\files\asr",
        r"\\?\UNC\files\asr",  # a form that only Windows knows
        r"\\.\pipe\x",
        r"\\files\asr\..\other",  # leads out
        r"\\files:445\asr",  # no port there
        r"\\files\asr\a:stream",
        "\\\\files\\asr\\a\x00b",
        "\\\\files\\asr\\\udcff",
        "smb://",
        "smb:///asr",
        "smb://files",
        "smb://files/",
        "smb://files:port/asr",
        "smb://files:99999/asr",
        "smb://[fe80::1/asr",
        "smb://files/asr/../other",
        "smb://files/asr/%2e%2e/other",
        "smb://files/asr/a%5c..%5cb",
        "smb://files/asr/a%2fb",
        "smb://files/asr?x=1",
        "smb://files/asr#1",
    ],
)
def test_what_is_no_folder_on_a_share_is_refused(text: str) -> None:
    with pytest.raises(InputError) as failure:
        smb.locate(text)

    assert failure.value.code == "unknown-source"
    assert "smb://server/share/folder" in failure.value.hint


@pytest.mark.parametrize(
    "text", [f"smb://me:{SECRET}@files/asr", f"smb://me:{SECRET}@files:445/asr/9.66", "smb://me@files/asr"]
)
def test_a_secret_in_the_address_is_refused_without_a_word_of_it(text: str) -> None:
    with pytest.raises(InputError) as failure:
        smb.locate(text)

    assert failure.value.code == "secret-in-source"
    said = failure.value.message + failure.value.hint
    assert SECRET not in said
    assert "me@" not in said
    assert "REPO_MANAGER_SMB_PASSWORD" in failure.value.hint


# Who to be


def test_the_variables_count_more_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("username=from file\n")
    file.chmod(0o600)
    environ = {"REPO_MANAGER_SMB_USER": "CORP\\me", "REPO_MANAGER_SMB_PASSWORD": SECRET}

    assert smb.credentials(environ, file) == Credentials("CORP\\me", SECRET)
    assert smb.credentials({}, file) == Credentials("from file", None)
    assert smb.credentials({}, None) is None
    assert smb.credentials({"REPO_MANAGER_SMB_USER": "me@CORP"}, None) == Credentials("me@CORP", None)


def test_a_password_without_a_user_is_refused() -> None:
    with pytest.raises(InputError) as failure:
        smb.credentials({"REPO_MANAGER_SMB_PASSWORD": SECRET}, None)

    assert failure.value.code == "smb-credentials"
    assert SECRET not in failure.value.message


def test_credentials_do_not_show_their_password() -> None:
    assert SECRET not in repr(Credentials("me", SECRET))


@pytest.mark.parametrize(
    ("text", "user", "password"),
    [
        ("username=me\npassword=hunter2\n", "me", SECRET),
        ("username = me\r\npassword=hunter2\r\n", "me", SECRET),
        ("\ufeffusername=me\n", "me", None),
        ("# who\n\ndomain=CORP\nusername=me\npassword=a=b #c \n", "CORP\\me", "a=b #c "),
        ("username=müller\npassword=\n", "müller", None),
    ],
)
def test_a_file_of_credentials_is_read(tmp_path: Path, text: str, user: str, password: str | None) -> None:
    file = tmp_path / "credentials"
    file.write_text(text, encoding="utf-8", newline="")
    file.chmod(0o600)

    assert smb.credentials({}, file) == Credentials(user, password)


@pytest.mark.parametrize(
    "data",
    [
        b"",  # nothing
        b"password=hunter2\n",  # nobody
        b"username=\npassword=hunter2\n",
        b"username=me\nhunter2\n",  # no key
        b"username=me\npass=hunter2\n",  # another key
        b"username=me\npassword=hunter2\npassword=hunter2\n",  # which?
        b"username=me\npassword=hunter2\xff\n",  # no text
    ],
)
def test_a_file_of_credentials_that_makes_no_sense_is_refused_without_a_word_of_it(tmp_path: Path, data: bytes) -> None:
    file = tmp_path / "credentials"
    file.write_bytes(data)
    file.chmod(0o600)

    with pytest.raises(InputError) as failure:
        smb.credentials({}, file)

    assert failure.value.code == "smb-credentials"
    seen: BaseException | None = failure.value
    while seen is not None:
        assert SECRET not in repr(seen)
        seen = seen.__cause__
    assert str(file) in failure.value.message


def test_a_file_of_credentials_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as failure:
        smb.credentials({}, tmp_path / "gone")

    assert failure.value.code == "smb-credentials"
    assert "gone" in failure.value.message


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps rights in another way")
@pytest.mark.parametrize("mode", [0o604, 0o602, 0o666])
def test_a_file_of_credentials_that_everybody_may_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "credentials"
    file.write_text("username=me\npassword=hunter2\n")
    file.chmod(mode)

    with pytest.raises(InputError) as failure:
        smb.credentials({}, file)

    assert "chmod 600" in failure.value.hint
    assert failure.value.code == ("smb-credentials" if mode == 0o604 else "untrusted-file")


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "smbprotocol", None)

    with pytest.raises(InputError) as failure:
        Shares().source("smb://files/asr")

    assert (failure.value.code, failure.value.exit_code) == ("smb-not-installed", 2)
    assert "asr-repo-manager[smb]" in failure.value.hint


# What a server's refusals are called


@pytest.mark.parametrize(
    ("status", "while_connecting", "while_reading"),
    [
        (0xC000006D, "logon-refused", "logon-refused"),
        (0xC0000234, "logon-refused", "logon-refused"),  # locked out
        (0xC00000CC, "no-such-share", "no-such-share"),
        (0xC0000257, "no-such-share", "no-such-share"),  # DFS
        (0xC0000022, "source-refused", "source-refused"),
        (0xC0000034, "not-at-source", "not-at-source"),
        (0x8000002D, "outside-source", "outside-source"),
        (0xC0000043, "source-in-use", "source-in-use"),
        (0xC000035C, "source-went-away", "source-went-away"),  # the ticket has run out
        (0xC0000001, "cannot-connect", "source-went-away"),  # no name of its own
    ],
)
def test_a_status_has_a_code_and_a_hint(status: int, while_connecting: str, while_reading: str) -> None:
    for connecting, code in ((True, while_connecting), (False, while_reading)):
        error = smb_errors.failure("there", smb_errors.refusal(status, connecting=connecting))
        assert (error.code, error.exit_code) == (code, 3)
        assert error.message.startswith("there: ")
        assert error.hint


# Servers that are none


@contextmanager
def listening(talk: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[int]]]:
    """A port where each caller is talked to so, and the list of callers."""
    callers: list[int] = []
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            with suppress(OSError):
                client, _ = listener.accept()
                with client:
                    callers.append(client.fileno())
                    client.settimeout(10)
                    talk(client)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1], callers
        finally:
            stop.set()
            thread.join()


def hangs_up(client: socket.socket) -> None:
    client.recv(1)


def says_nothing(client: socket.socket) -> None:
    while client.recv(4096):
        pass


def speaks_http(client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")


def sends_zeros(client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"\x00\x00\x00\x80" + bytes(128))
    says_nothing(client)


def promises_more_than_memory(client: socket.socket) -> None:
    client.recv(4096)
    client.sendall(b"\x00\xff\xff\xff" + b"\xfeSMB")


@needs_library
@pytest.mark.parametrize("talk", [hangs_up, says_nothing, speaks_http, sends_zeros, promises_more_than_memory])
def test_what_is_no_server_cannot_be_connected_to_and_is_asked_only_once(
    talk: Callable[[socket.socket], None], capfd: pytest.CaptureFixture[str]
) -> None:
    with listening(talk) as (port, callers):
        shares = Shares(lambda: Credentials("me", SECRET), patience=Patience(connect_s=1, answer_s=1))
        source = shares.source(f"smb://127.0.0.1:{port}/asr")
        for _ in range(3):
            with pytest.raises(TransferError) as failure:
                source.size(NAME)
            assert (failure.value.code, failure.value.exit_code) == ("cannot-connect", 3)
        shares.close()
    assert len(callers) == 1
    assert f"127.0.0.1:{port}" in failure.value.message
    # No traceback of the library, which logs what it raises.
    assert capfd.readouterr().err == ""


@needs_library
def test_a_port_where_nobody_listens_cannot_be_connected_to() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(TransferError) as failure:
        Shares(lambda: Credentials("me", SECRET)).source(f"smb://127.0.0.1:{port}/asr").size(NAME)

    assert failure.value.code == "cannot-connect"
    assert "refused" in failure.value.message.lower()
    assert SECRET not in failure.value.message


@needs_library
def test_a_server_without_an_address_cannot_be_connected_to() -> None:
    with pytest.raises(TransferError) as failure:
        Shares(lambda: Credentials("me", SECRET)).source("smb://no-such-server.invalid/asr").size(NAME)

    assert failure.value.code == "cannot-connect"


@needs_library
def test_closing_ends_the_wait_for_a_silent_server() -> None:
    """What Ctrl-C leads to, while another thread waits with all the patience there is."""
    heard = threading.Event()

    def talk(client: socket.socket) -> None:
        client.recv(1)
        heard.set()
        says_nothing(client)

    failures: list[TransferError] = []

    def ask() -> None:
        try:
            source.size(NAME)
        except TransferError as error:
            failures.append(error)

    with listening(talk) as (port, _):
        shares = Shares(lambda: Credentials("me", SECRET), patience=Patience(connect_s=600, answer_s=600))
        source = shares.source(f"smb://127.0.0.1:{port}/asr")
        waiting = threading.Thread(target=ask)
        waiting.start()
        assert heard.wait(30)
        shares.close()
        waiting.join(30)
        assert not waiting.is_alive()
    assert [error.exit_code for error in failures] == [3]


@needs_library
def test_closing_does_not_wait_for_a_connection_that_is_being_made() -> None:
    """A server behind a firewall that drops everything: what Ctrl-C leads to must not wait with it."""
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        port = full.getsockname()[1]
        # Nobody accepts: when the queue is full, the system answers no more.
        waiting = [socket.socket() for _ in range(3)]
        for client in waiting:
            client.setblocking(False)
            client.connect_ex(("127.0.0.1", port))
        shares = Shares(lambda: Credentials("me", SECRET), patience=Patience(connect_s=600, answer_s=600))
        source = shares.source(f"smb://127.0.0.1:{port}/asr")
        failures: list[TransferError] = []

        def ask() -> None:
            try:
                source.size(NAME)
            except TransferError as error:
                failures.append(error)

        asking = threading.Thread(target=ask)
        asking.start()
        while not any(link._connection is not None for link in tuple(shares._links)):
            assert asking.is_alive()
        closing = threading.Thread(target=shares.close)
        closing.start()
        closing.join(30)
        still_open = closing.is_alive()
        for client in waiting:
            client.close()
    # With the port closed, the system refuses the connection at last.
    asking.join(60)
    assert not still_open
    assert [error.exit_code for error in failures] == [3]


@needs_library
def test_credentials_that_make_no_sense_are_told_as_they_are(tmp_path: Path) -> None:
    def refuse() -> Credentials:
        raise InputError("smb-credentials", "no", "mend it")

    with listening(says_nothing) as (port, _):
        shares = Shares(refuse)
        with pytest.raises(InputError) as failure:
            shares.source(f"smb://127.0.0.1:{port}/asr").fetch(NAME, tmp_path / "part")
        shares.close()

    assert failure.value.code == "smb-credentials"
    assert not (tmp_path / "part").exists()
