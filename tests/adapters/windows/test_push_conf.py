from __future__ import annotations

import codecs

import pytest

from repo_manager.adapters.windows.push_conf import MOST_BYTES, named_folders
from repo_manager.core.errors import ExitCode, InputError

FILE = r"C:\pushinstallsvc\pushinstaller.conf"
ENVIRON = {"ProgramData": r"C:\ProgramData", "SystemDrive": "C:"}


def folders(text: str | bytes, encoding: str = "utf-8") -> tuple[str, ...]:
    return named_folders(text if isinstance(text, bytes) else text.encode(encoding), FILE, ENVIRON)


def conf(value: str) -> str:
    return f"[PushInstaller]\r\nLogLevel = 3\r\nRepositoryPathUA={value}\r\n"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (conf(r"D:\agents"), "as it is written"),
        (conf(r'"D:\agents"'), "in quotes"),
        (conf(r"'D:\agents'"), "in single quotes"),
        (conf("\u201dD:\\agents\u201d"), "in the typographic quotes of the article of 2015"),
        (conf("\u201cD:\\agents\u201d"), "in a pair of them"),
        (conf(r'   "D:\agents"   ; the new disk'), "with a remark after the quotes"),
        ("[PUSHINSTALLER]\nrepositorypathua = D:\\agents", "in another case, and the last line not ended"),
        ("[ PushInstaller ]\r RepositoryPathUA\t=\tD:\\agents\r", "with room around everything, lines of a Mac"),
        (
            "RepositoryPathUA=E:\\x\n[Other]\nRepositoryPathUA=F:\\x\n" + conf(r"D:\agents"),
            "elsewhere it means nothing",
        ),
        (conf(r"D:\agents") + "[PushInstaller.transport]\nRepositoryPathUA=E:\\x\n", "not even in a section so near"),
        (conf(r"D:\agents") + conf(r"'D:\agents'"), "twice the same"),
        ("; RepositoryPathUA=E:\\x\nnot a pair\n" + conf("D:\\agents") + "#RepositoryPathUA=x\n\x1a", "between noise"),
    ],
)
def test_the_file_names_a_folder(text: str, reason: str) -> None:
    assert folders(text)[0] == r"D:\agents", reason


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "an empty file"),
        ("[PushInstaller]\nLogLevel=3\n", "no such key"),
        (conf(""), "a key without a value"),
        (conf('""'), "an empty value"),
        ("[PushInstaller]\n;RepositoryPathUA=D:\\agents\n", "a line that was commented out"),
        ("RepositoryPathUA=D:\\agents\n", "a key before every section"),
    ],
)
def test_a_file_that_names_none_says_nothing(text: str, reason: str) -> None:
    assert folders(text) == (), reason


@pytest.mark.parametrize("value", [r"%ProgramData%\agents", r"%PROGRAMDATA%\agents", r'"%programdata%\agents"'])
def test_variables_are_put_in_whatever_their_case(value: str) -> None:
    assert folders(conf(value)) == (r"C:\ProgramData\agents",)


def test_a_percent_sign_alone_is_one() -> None:
    assert folders(conf(r"D:\100% whole")) == (r"D:\100% whole",)


SPOKEN = "D:\\Verteilung für Köln\\référentiel"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (conf(SPOKEN).encode("utf-8"), "UTF-8"),
        (codecs.BOM_UTF8 + conf(SPOKEN).encode("utf-8"), "UTF-8 with a mark"),
        (codecs.BOM_UTF16_LE + conf(SPOKEN).encode("utf-16-le"), "Unicode, as Notepad calls it"),
        (codecs.BOM_UTF16_BE + conf(SPOKEN).encode("utf-16-be"), "Unicode big endian"),
        (conf(SPOKEN).encode("utf-16-le"), "UTF-16 without a mark"),
        (conf(SPOKEN).encode("utf-16-be"), "UTF-16 big endian without a mark"),
        (codecs.BOM_UTF32_LE + conf(SPOKEN).encode("utf-32-le"), "UTF-32"),
        (conf(SPOKEN).encode("cp1252"), "the code page of western Windows"),
        (conf(SPOKEN).encode("cp850"), "the code page of a western console"),
        (conf(SPOKEN).encode("cp437"), "the code page of an American console"),
    ],
)
def test_the_folder_is_among_the_readings_in_any_encoding(data: bytes, reason: str) -> None:
    assert SPOKEN in folders(data), reason


def test_an_encoding_that_is_certain_gives_one_reading() -> None:
    assert folders(codecs.BOM_UTF16_LE + conf(SPOKEN).encode("utf-16-le")) == (SPOKEN,)
    assert folders(conf(r"D:\agents")) == (r"D:\agents",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (bytes(512), "damaged"),
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "damaged"),
        (codecs.BOM_UTF16_LE + conf(r"D:\x").encode("utf-16-le")[:-1], "damaged"),
        (codecs.BOM_UTF8 + b"[PushInstaller]\nRepositoryPathUA=\xff\n", "damaged"),
        (b"; x\n" * (MOST_BYTES // 4 + 1), "larger than 1024 KiB"),
        (b"[PushInstaller\nRepositoryPathUA=D:\\x\n", "line 1: the bracket"),
        (conf('"D:\\x').encode(), "line 3: the quotes"),
        (conf('"D:\\x" y').encode(), "line 3: the quotes"),
        ((conf("D:\\x") + conf("D:\\y")).encode(), "line 6: RepositoryPathUA is there twice"),
        (conf("%NoSuchVariable%\\x").encode(), "%NoSuchVariable%"),
    ],
)
def test_a_broken_file_is_one_clear_message(data: bytes, words: str) -> None:
    with pytest.raises(InputError) as caught:
        folders(data)
    error = caught.value
    assert (error.code, error.exit_code) == ("invalid-conf", ExitCode.USAGE)
    assert error.message.startswith(FILE)
    assert words in error.message
    assert "--repository" in error.hint
