"""Places of every kind that a set is followed from, with what followers need to come there."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final, Protocol

import pytest
from object_stores import azurite, nginx, s3_server, signature
from spread_world import Authority
from web_world import serving

from repo_manager.adapters.storage import Credentials, Storage, open_depot
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.core.address import parse as parse_address
from repo_manager.web.server import Certificate

if TYPE_CHECKING:
    from pathlib import Path

    from spread_world import Mirror

# Where nobody listens.
_NOBODY: Final = 9


class Place(Protocol):
    """Holds sets by name. Each of the last three sends a follower somewhere."""

    kind: str

    def depot(self, name: str) -> Storage:
        """A set for its leader, to be closed."""
        ...

    def send(self, mirror: Mirror, name: str) -> None:
        """To that set."""
        ...

    def send_nowhere(self, mirror: Mirror) -> None:
        """To where the place would be, if it could be reached."""
        ...

    def send_home(self, mirror: Mirror) -> None:
        """To where the follower's own installers lie."""
        ...


class _Folder:
    kind = "folder"

    def __init__(self, root: Path) -> None:
        self._root = root

    def depot(self, name: str) -> Storage:
        return LocalStorage(self._root / name)

    def send(self, mirror: Mirror, name: str) -> None:
        mirror.source = str(self._root / name)

    def send_nowhere(self, mirror: Mirror) -> None:
        mirror.source = str(self._root / "unmounted")

    def send_home(self, mirror: Mirror) -> None:
        mirror.source = str(mirror.world.repository)


class _Served(_Folder):
    """`serve` with a certificate, a server for each set."""

    kind = "https"

    def __init__(self, root: Path, ends: ExitStack) -> None:
        super().__init__(root)
        self._ends = ends
        self._authority = Authority(root / "tls")
        self._certificate = Certificate(*self._authority.issue("leader"))
        self._urls: dict[Path, str] = {}

    def send(self, mirror: Mirror, name: str) -> None:
        self._send(mirror, self._root / name)

    def send_nowhere(self, mirror: Mirror) -> None:
        mirror.configure(ca_file=self._authority.file, attempts=1)
        mirror.source = f"https://127.0.0.1:{_NOBODY}/set"

    def send_home(self, mirror: Mirror) -> None:
        self._send(mirror, mirror.world.repository)

    def _send(self, mirror: Mirror, folder: Path) -> None:
        if folder not in self._urls:
            self._urls[folder] = self._ends.enter_context(serving(folder, certificate=self._certificate)).url
        mirror.configure(ca_file=self._authority.file)
        mirror.source = self._urls[folder]


class _Nginx(_Folder):
    """nginx with a certificate."""

    kind = "nginx"

    def __init__(self, root: Path, ends: ExitStack) -> None:
        super().__init__(root)
        self._authority = Authority(root / "tls")
        (root / "own").mkdir()
        self._base = ends.enter_context(nginx(root, root / "own", self._authority.issue("web")))

    def send(self, mirror: Mirror, name: str) -> None:
        mirror.configure(ca_file=self._authority.file)
        mirror.source = f"{self._base}/{name}"

    def send_nowhere(self, mirror: Mirror) -> None:
        mirror.configure(ca_file=self._authority.file, attempts=1)
        mirror.source = f"https://127.0.0.1:{_NOBODY}/set"

    def send_home(self, mirror: Mirror) -> None:
        name = f"home-{len(list(self._root.iterdir()))}"
        (self._root / name).symlink_to(mirror.world.repository, target_is_directory=True)
        self.send(mirror, name)


class _Store:
    """An object store. `followers` are the variables of those, by the port they are to go to."""

    def __init__(
        self, kind: str, address: str, leaders: Mapping[str, str], followers: Callable[[int], Mapping[str, str]]
    ) -> None:
        self.kind = kind
        self._address = address
        self._leaders, self._followers = leaders, followers
        self._homes = 0

    def depot(self, name: str) -> Storage:
        return open_depot(parse_address(f"{self._address}/{name}"), keyring=Credentials(self._leaders))

    def send(self, mirror: Mirror, name: str) -> None:
        mirror.source, mirror.variables = f"{self._address}/{name}", self._followers(0)

    def send_nowhere(self, mirror: Mirror) -> None:
        mirror.configure(attempts=1)
        mirror.source, mirror.variables = f"{self._address}/set", self._followers(_NOBODY)

    def send_home(self, mirror: Mirror) -> None:
        self._homes += 1
        name = f"home-{self._homes}"
        depot = self.depot(name)
        for path in mirror.world.repository.glob("Microsoft-ASR_UA_*"):
            depot.write(path.name, path.read_bytes())
        depot.close()
        self.send(mirror, name)


KINDS: Final = (
    "folder",
    "https",
    "s3",
    pytest.param("nginx", marks=pytest.mark.stores),
    pytest.param("azure", marks=pytest.mark.stores),
)


@contextmanager
def place_of(kind: str, root: Path) -> Iterator[Place]:
    """A place of one of `KINDS`, empty, at work until the end of the `with`."""
    with ExitStack() as ends:
        if kind == "folder":
            yield _Folder(root)
        elif kind == "https":
            yield _Served(root, ends)
        elif kind == "nginx":
            yield _Nginx(root, ends)
        elif kind == "s3":
            s3 = ends.enter_context(s3_server())
            yield _Store(kind, s3.make("sets"), s3.variables(), lambda port: s3.variables(port=port))
        else:
            azure = ends.enter_context(azurite(root / "azurite"))
            address = azure.make("sets")
            may = signature("sets", "rl")
            yield _Store(kind, address, azure.variables(), lambda port: azure.with_signature(may, port=port))
