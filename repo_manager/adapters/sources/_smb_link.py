"""One connection to a share: a logon, files opened for reading, failures in our words.

The only module that imports smbprotocol, and only when a share is read. Beyond what the library does by
itself, every answer has its time limit, an answer that is not signed as agreed ends the connection, and
links on the share are not followed.
"""

from __future__ import annotations

import logging
import uuid
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, Final

from smbprotocol.connection import Connection
from smbprotocol.exceptions import (
    EndOfFile,
    SMBAuthenticationError,
    SMBConnectionClosed,
    SMBException,
    SMBResponseException,
)
from smbprotocol.header import Commands, NtStatus, Smb2Flags
from smbprotocol.open import (
    CreateDisposition,
    CreateOptions,
    FilePipePrinterAccessMask,
    ImpersonationLevel,
    Open,
    ShareAccess,
)
from smbprotocol.session import Session
from smbprotocol.tree import TreeConnect

from repo_manager.adapters.sources import smb_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from repo_manager.adapters.sources.smb import Credentials, Patience, Share

# The library logs what it raises, with a traceback.
logging.getLogger("smbprotocol").addHandler(logging.NullHandler())
logging.getLogger("spnego").addHandler(logging.NullHandler())

# A server answers after all of a piece is there: with the limit for an answer this says how slow a way may be.
_READ: Final = 512 << 10
_PER_CREDIT: Final = 64 << 10

# Evidence: [MS-SMB2] 2.2.1: the number of a message that the server sends unasked, and never signs.
_UNASKED: Final = 0xFFFFFFFFFFFFFFFF


class _UnsignedError(SMBException):  # type: ignore[misc] # the library has no types
    """An answer came without the protection that was agreed on: somebody on the way may have written it."""


class _GuestError(SMBException):  # type: ignore[misc] # same
    """The server took the user for a guest, whose answers cannot be signed."""


class _SilentError(SMBException):  # type: ignore[misc] # same
    """No answer came in time."""


class _Connection(Connection):  # type: ignore[misc] # same
    """The library's connection, with a limit for every wait, and stricter about signatures and links."""

    def __init__(self, share: Share, patience: Patience, *, signed: bool) -> None:
        super().__init__(uuid.uuid4(), share.server, share.port, require_signing=signed)
        self._answer_s = patience.answer_s

    def receive(
        self,
        request: Any,  # noqa: ANN401 - the library has no types
        wait: bool = True,  # noqa: FBT001, FBT002 - the library's signature
        timeout: float | None = None,
        resolve_symlinks: bool = True,  # noqa: FBT001, FBT002 - same
    ) -> Any:  # noqa: ANN401 - same
        del resolve_symlinks
        try:
            return super().receive(request, wait=wait, timeout=timeout or self._answer_s, resolve_symlinks=False)
        except SMBResponseException:
            raise
        except SMBException as error:
            # So the library ends a wait that was too long; all its other failures wake up who waits.
            raise error if request.response_event.is_set() else _SilentError from error

    def verify_signature(self, header: Any, session_id: int, force: bool = False) -> None:  # noqa: ANN401, FBT001, FBT002 - same
        # Called for each answer that came unencrypted. The library checks a signature where there is one.
        session = self.session_table.get(session_id)
        if session is not None and not force and _needs_signature(header, session):
            raise _UnsignedError
        try:
            super().verify_signature(header, session_id, force)
        except SMBException as error:
            raise _UnsignedError from error


def _needs_signature(header: Any, session: Any) -> bool:  # noqa: ANN401 - the library has no types
    """Whether the answer of a logged-on session must not be believed as it is.

    Evidence: [MS-SMB2] 3.2.5.1.3: what is unsigned although signing is required is discarded, except for
    interim answers and what comes unasked.
    """
    if header["message_id"].get_value() == _UNASKED or header["status"].get_value() == NtStatus.STATUS_PENDING:
        return False
    if header["command"].get_value() == Commands.SMB2_SESSION_SETUP:
        return False
    signed = header["flags"].has_flag(Smb2Flags.SMB2_FLAGS_SIGNED)
    return bool(session.encrypt_data) or (session.signing_required and not signed)


class Link:
    """A connection to one share. For one thread at a time, but `close` may come from any."""

    def __init__(self, share: Share, where: str, patience: Patience) -> None:
        self._share = share
        self._where = where
        self._patience = patience
        self._closed = False
        self._connection: Any = None
        self._tree: Any = None

    def connect(self, credentials: Credentials | None) -> None:
        """Log on. Without credentials as whoever a Kerberos ticket names, or else as a guest.

        Raises:
            TransferError: see `smb.SmbSource.fetch`.
        """
        with _translated(self._where, connecting=True):
            if credentials is not None:
                self._log_on(credentials.user, credentials.password, signed=True)
                return
            try:
                self._log_on(None, None, signed=True)
            except SMBAuthenticationError:
                self._hang_up()
                # A guest has no key to sign with.
                self._log_on("guest", "", signed=False)

    def _log_on(self, user: str | None, password: str | None, *, signed: bool) -> None:
        self._connection = _Connection(self._share, self._patience, signed=signed)
        self._connection.connect(timeout=self._patience.connect_s)
        if self._closed:
            raise SMBConnectionClosed
        session = Session(self._connection, user, password, require_encryption=False)
        try:
            session.connect()
        except SMBException as error:
            # So the library leaves a session that came out as a guest's although it was to be signed.
            raise error if session.session_id is not None else _GuestError from error
        self._tree = TreeConnect(session, rf"\\{self._share.server}\{self._share.name}")
        self._tree.connect(require_secure_negotiate=signed)
        if self._closed:
            raise SMBConnectionClosed

    @property
    def usable(self) -> bool:
        """Whether another file can be read over it."""
        return not self._closed and self._connection is not None and bool(self._connection.transport.connected)

    @contextmanager
    def open(self, path: str, where: str) -> Iterator[RemoteFile]:
        """A file of the share, for reading. Others may go on writing to it.

        Args:
            path: below the share, as the server knows it.
            where: the same for messages.

        Raises:
            TransferError: see `smb.SmbSource.fetch`.
        """
        file = RemoteFile(self._tree, path, where)
        try:
            yield file
        except BaseException:
            # An answer may still be on its way, and nobody waits for it.
            self.close()
            raise
        file.close()

    def close(self) -> None:
        """Hang up, at once: the server closes what was open."""
        self._closed = True
        self._hang_up()

    def _hang_up(self) -> None:
        connection = self._connection
        # One that is still being made holds a lock until it is, or is not; it then finds out by itself.
        if connection is not None and connection.transport is not None and connection.transport.connected:
            with suppress(Exception):
                connection.disconnect(close=False)


class RemoteFile:
    """A file of a share while it is open; a `copying.Readable`. The next piece is asked for ahead."""

    def __init__(self, tree: Any, path: str, where: str) -> None:  # noqa: ANN401 - the library has no types
        self._tree = tree
        self._path = path
        self._where = where
        self._offset = 0
        self._ahead: Any = None
        self._ended = False
        self._fresh = True
        self._handle = self._open()

    def state(self) -> tuple[int, object]:
        """Size and time of the last write, as of now: not between two pieces.

        Raises:
            TransferError: see `smb.SmbSource.fetch`.
        """
        if not self._fresh:
            # A server may go on telling the time it knew when the file was opened, until nobody has it open.
            self.close()
            self._handle = self._open()
            self._fresh = True
        return int(self._handle.end_of_file), self._handle.last_write_time

    def start_at(self, offset: int) -> None:
        """Read from there on; before the first piece."""
        self._offset = offset

    def close(self) -> None:
        """Let go of the file.

        Raises:
            TransferError: see `smb.SmbSource.fetch`.
        """
        with _translated(self._where):
            self._handle.close()

    def _open(self) -> Any:  # noqa: ANN401 - the library has no types
        handle = Open(self._tree, self._path)
        with _translated(self._where):
            handle.create(
                ImpersonationLevel.Impersonation,
                FilePipePrinterAccessMask.FILE_READ_DATA | FilePipePrinterAccessMask.FILE_READ_ATTRIBUTES,
                0,
                ShareAccess.FILE_SHARE_READ | ShareAccess.FILE_SHARE_WRITE | ShareAccess.FILE_SHARE_DELETE,
                CreateDisposition.FILE_OPEN,
                CreateOptions.FILE_NON_DIRECTORY_FILE | CreateOptions.FILE_SEQUENTIAL_ONLY,
            )
        return handle

    def read(self) -> bytes:
        """The next piece; empty at the end.

        Raises:
            TransferError: see `smb.SmbSource.fetch`.
        """
        if self._ended:
            return b""
        self._fresh = False
        with _translated(self._where):
            unpack, request = self._ahead or self._ask()
            self._ahead = None
            try:
                piece = bytes(unpack(request))
            except EndOfFile:
                piece = b""
            self._offset += len(piece)
            self._ended = not piece
            if piece:
                # On its way while this one is hashed and written.
                self._ahead = self._ask()
        return piece

    def _ask(self) -> tuple[Any, Any]:
        connection = self._handle.connection
        credits_left = connection.sequence_window["high"] - connection.sequence_window["low"]
        length = min(_READ, connection.max_read_size, max(1, credits_left) * _PER_CREDIT)
        message, unpack = self._handle.read(self._offset, length, send=False)
        request = connection.send(
            message,
            sid=self._tree.session.session_id,
            tid=self._tree.tree_connect_id,
            credit_request=_READ // _PER_CREDIT,
        )
        return unpack, request


@contextmanager
def _translated(where: str, *, connecting: bool = False) -> Iterator[None]:
    """Give whatever the library raises a code, a message and a hint. Its own texts are not passed on."""
    try:
        yield
    except SMBResponseException as error:
        raise smb_errors.failure(where, smb_errors.refusal(error.status, connecting=connecting)) from error
    except Exception as error:
        # Not only its own kinds: it passes on what its reading thread met, such as broken structures and ciphers.
        raise smb_errors.failure(where, _words(error, connecting=connecting)) from error


_BY_KIND: Final[dict[type[Exception], smb_errors.Words]] = {
    _UnsignedError: smb_errors.UNSIGNED,
    _GuestError: smb_errors.GUEST,
    _SilentError: smb_errors.SILENT,
    SMBAuthenticationError: smb_errors.LOGON,
    SMBConnectionClosed: smb_errors.CLOSED,
}


def _words(error: Exception, *, connecting: bool) -> smb_errors.Words:
    if connecting:
        # The library wraps what a socket says in a ValueError.
        from_socket = error.__cause__ if isinstance(error, ValueError) else error
        if isinstance(from_socket, OSError):
            return smb_errors.not_connected(_reason(from_socket))
        if isinstance(error, _SilentError | SMBConnectionClosed):
            return smb_errors.not_connected("no SMB server answers there")
    elif isinstance(error, OSError):
        return smb_errors.broken_off(_reason(error))
    return _BY_KIND.get(type(error)) or smb_errors.odd("the server's answers make no sense", connecting=connecting)


def _reason(error: OSError) -> str:
    return error.strerror or str(error) or "no reason given"
