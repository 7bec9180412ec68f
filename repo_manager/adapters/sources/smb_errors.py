"""What can go wrong with a share, in our words: a code, what happened, what to do next."""

from __future__ import annotations

from typing import Final

from repo_manager.adapters.sources.copying import HINT
from repo_manager.core.errors import TransferError

_CONNECT: Final = "check the server's name and port, and that the network and its firewalls let SMB through"
_AGAIN: Final = "make sure that the server is there and reachable, then run again"
_CREDENTIALS: Final = (
    "check REPO_MANAGER_SMB_USER and REPO_MANAGER_SMB_PASSWORD, or the file that smb_credentials names,"
    " before the server locks the user out"
)
_RIGHTS: Final = "have the user granted the right to read there, or be another user"
_WHICH_SHARE: Final = "check the name; of a DFS namespace, name the server and share behind it"

Words = tuple[str, str, str]
LOGON: Final[Words] = ("logon-refused", "the server did not accept the user or the password", _CREDENTIALS)
GUEST: Final[Words] = (
    "logon-refused",
    "the server has no such user and offers a guest",
    _CREDENTIALS,
)
_LOCKED_OUT: Final[Words] = (
    "logon-refused",
    "the user is locked out, disabled, restricted or needs a new password",
    "have the user looked at by whoever administers the server",
)
_NO_SHARE: Final[Words] = ("no-such-share", "the server has no such share", _WHICH_SHARE)
_ELSEWHERE: Final[Words] = ("no-such-share", "this lies on another server, where DFS leads", _WHICH_SHARE)
_NO_FILE: Final[Words] = ("not-at-source", "the source has no such file", HINT)
_NOT_A_FILE: Final[Words] = ("not-at-source", "not a file", HINT)
_LINK: Final[Words] = ("outside-source", "a link, which may lead out of the source", "name the folder it leads to")
_DENIED: Final[Words] = ("source-refused", "the user may not read this", _RIGHTS)
_IN_USE: Final[Words] = ("source-in-use", "another program on the share holds the file", "run again when it is whole")
UNSIGNED: Final[Words] = (
    "unsigned-answer",
    "an answer was not signed as agreed, so that it may be forged",
    "have the network between looked at; do not use what came from there",
)
SILENT: Final[Words] = ("source-went-away", "no answer came in time", _AGAIN)
CLOSED: Final[Words] = ("source-went-away", "the connection broke off", _AGAIN)

# Evidence: [MS-ERREF] 2.3.1, NTSTATUS values.
_BY_STATUS: Final[dict[int, Words]] = {
    0xC000006D: LOGON,  # STATUS_LOGON_FAILURE
    0xC000006A: LOGON,  # STATUS_WRONG_PASSWORD
    0xC0000064: LOGON,  # STATUS_NO_SUCH_USER
    0xC0000071: _LOCKED_OUT,  # STATUS_PASSWORD_EXPIRED
    0xC000006E: _LOCKED_OUT,  # STATUS_ACCOUNT_RESTRICTION
    0xC000006F: _LOCKED_OUT,  # STATUS_INVALID_LOGON_HOURS
    0xC0000070: _LOCKED_OUT,  # STATUS_INVALID_WORKSTATION
    0xC0000072: _LOCKED_OUT,  # STATUS_ACCOUNT_DISABLED
    0xC000015B: _LOCKED_OUT,  # STATUS_LOGON_TYPE_NOT_GRANTED
    0xC0000193: _LOCKED_OUT,  # STATUS_ACCOUNT_EXPIRED
    0xC0000224: _LOCKED_OUT,  # STATUS_PASSWORD_MUST_CHANGE
    0xC0000234: _LOCKED_OUT,  # STATUS_ACCOUNT_LOCKED_OUT
    0xC00000CC: _NO_SHARE,  # STATUS_BAD_NETWORK_NAME
    0xC0000257: _ELSEWHERE,  # STATUS_PATH_NOT_COVERED
    0xC000026D: _ELSEWHERE,  # STATUS_DFS_UNAVAILABLE
    0xC0000034: _NO_FILE,  # STATUS_OBJECT_NAME_NOT_FOUND
    0xC000003A: _NO_FILE,  # STATUS_OBJECT_PATH_NOT_FOUND
    0xC0000033: _NO_FILE,  # STATUS_OBJECT_NAME_INVALID
    0xC0000039: _NO_FILE,  # STATUS_OBJECT_PATH_INVALID
    0xC000000F: _NO_FILE,  # STATUS_NO_SUCH_FILE
    0xC0000225: _NO_FILE,  # STATUS_NOT_FOUND
    0xC0000103: _NO_FILE,  # STATUS_NOT_A_DIRECTORY
    0xC00000BA: _NOT_A_FILE,  # STATUS_FILE_IS_A_DIRECTORY
    0x8000002D: _LINK,  # STATUS_STOPPED_ON_SYMLINK
    0xC0000022: _DENIED,  # STATUS_ACCESS_DENIED
    0xC00000CA: _DENIED,  # STATUS_NETWORK_ACCESS_DENIED
    0xC0000043: _IN_USE,  # STATUS_SHARING_VIOLATION
    0xC0000056: _IN_USE,  # STATUS_DELETE_PENDING
    0xC00000C9: CLOSED,  # STATUS_NETWORK_NAME_DELETED
    0xC0000203: CLOSED,  # STATUS_USER_SESSION_DELETED
    0xC0000128: CLOSED,  # STATUS_FILE_CLOSED
    0xC000035C: CLOSED,  # STATUS_NETWORK_SESSION_EXPIRED
}


def failure(where: str, words: Words) -> TransferError:
    """The error to raise for this place."""
    code, what, hint = words
    return TransferError(code, f"{where}: {what}", hint)


def refusal(status: int, *, connecting: bool) -> Words:
    """What a server's status means; `connecting` until the share is open."""
    return _BY_STATUS.get(status) or odd(f"the server answered 0x{status:08x}", connecting=connecting)


def not_connected(reason: str) -> Words:
    """There is no connection to begin with."""
    return "cannot-connect", f"no connection ({reason})", _CONNECT


def broken_off(reason: str) -> Words:
    """There was a connection."""
    return "source-went-away", f"the connection broke off ({reason})", _AGAIN


def odd(what: str, *, connecting: bool) -> Words:
    """Something that has no name of its own."""
    return ("cannot-connect", what, _CONNECT) if connecting else ("source-went-away", what, _AGAIN)
