"""The client of The Update Framework, brought its bytes and its time; the only module that imports it."""

from __future__ import annotations

import shutil
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from tuf.api import exceptions
from tuf.ngclient import FetcherInterface, Updater

from repo_manager.adapters.filesystem.os_errors import disk_error
from repo_manager.adapters.tuf.signed_set import MixedSetError, SetExpiredError, malformed
from repo_manager.adapters.tuf.trust_store import FILES
from repo_manager.core.errors import RepoManagerError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    Bring = Callable[[str, int], bytes | None]
    """Brings the file at a path, of at most so many bytes; None where it is a root that there is not."""


def refreshed(bring: Bring, root: bytes, seen: Mapping[str, bytes], time: datetime, where: str) -> Mapping[str, bytes]:
    """The newest metadata, verified, by `FILES`. A refusal leaves nothing behind.

    Args:
        bring: see `Bring`.
        root: what is trusted.
        seen: what was verified before, by `FILES`; may be empty.
        time: what counts as now.
        where: for messages.

    Raises:
        VerificationError: `set-expired`, `set-went-back`, `wrong-signature`, `set-mixed`, `malformed-set`.
        RepoManagerError: what `bring` raises.
        MachineError: the disk refused.
    """
    try:
        with _temporary() as folder:
            for file, data in seen.items():
                (folder / file).write_bytes(data)
            with _translated(where, first=not seen):
                updater = _Updater(str(folder), "metadata/", fetcher=_MetadataFetcher(bring), bootstrap=root)
                # The library asks the machine's clock and has no other way in. It compares with nothing but this.
                updater._trusted_set.reference_time = time  # noqa: SLF001 - see above
                updater.refresh()
            return {file: (folder / file).read_bytes() for file in FILES}
    except OSError as error:
        raise disk_error(error, Path(tempfile.gettempdir())) from error


@contextmanager
def _temporary() -> Iterator[Path]:
    """A folder that goes in the end, as far as the system lets it.

    Python's own, before 3.12, asks again for ever where it may not delete: a virus scanner is enough.
    """
    folder = Path(tempfile.mkdtemp(prefix="repo-manager-"))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Updater(Updater):
    def _update_root_symlink(self) -> None:
        # A link wants a right that scheduled tasks of Windows lack, or a file system that knows hard ones.
        folder = Path(self._dir)
        shutil.copyfile(folder / "root_history" / f"{self._trusted_set.root.version}.root.json", folder / "root.json")


class _MetadataFetcher(FetcherInterface):
    def __init__(self, bring: Bring) -> None:
        self._bring = bring

    def download_bytes(self, url: str, max_length: int) -> bytes:
        """What the client asks for; it asks for paths."""
        data = self._bring(url, max_length)
        if data is None:
            raise exceptions.DownloadHTTPError(url, 404)
        return data

    def _fetch(self, url: str) -> Iterator[bytes]:
        raise NotImplementedError(url)


_TELL = "tell the owner of the source; nothing was changed here"
_ASK = (
    "ask the leader, by another way than the set itself, whether it has begun anew with other keys; if so, add"
    " --replace-trust --trust with the new fingerprint, and else do not use this set"
)


@contextmanager
def _translated(where: str, *, first: bool) -> Iterator[None]:
    try:
        yield
    except (RepoManagerError, OSError):
        raise
    except exceptions.ExpiredMetadataError as error:
        raise SetExpiredError("set-expired", f"{where}: {error}") from error
    except exceptions.BadVersionNumberError as error:
        raise VerificationError(
            "set-went-back",
            f"{where}: an older set than this repository has seen, or a mixture ({error})",
            "do not use it; have the leader publish again, or use the place that has the newest set",
        ) from error
    except exceptions.UnsignedMetadataError as error:
        raise MixedSetError(
            "wrong-signature",
            f"{where}: not signed with the keys that are trusted here ({error})",
            _TELL if first else _ASK,
        ) from error
    except exceptions.LengthOrHashMismatchError as error:
        raise MixedSetError(
            "set-mixed", f"{where}: its metadata do not belong together", "run again; if it stays so, tell the owner"
        ) from error
    except Exception as error:
        # Of metadata that somebody made up, the library may say anything, and none of it is for people.
        raise malformed(where, "its metadata make no sense") from error
