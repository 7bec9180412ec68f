"""A share of a real Samba server: who may read, what a broken or hostile way does, what is given back."""

from __future__ import annotations

import hashlib
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Final

import pytest
from samba import PASSWORD, FallSilent, HangUp, forged, is_piece, sharing, unsigned, way

from repo_manager.adapters.sources.smb import Credentials, Patience, Shares
from repo_manager.core.errors import TransferError
from repo_manager.core.names import parse
from repo_manager.demo.sample import sample_installer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from samba import Filter, Frame, Samba

pytestmark = pytest.mark.smb

NAME: Final = parse("Microsoft-ASR_UA_9.66.7567.1_RHEL9-64_GA_20Sep2025_release.tar.gz")
DATA: Final = sample_installer(NAME, payload_bytes=3_000_000)
SHA256: Final = hashlib.sha256(DATA).hexdigest()
WRONG: Final = "hunter2"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samba]:
    root = tmp_path_factory.mktemp("samba")
    (root / "shared").mkdir()
    (root / "shared" / NAME.text).write_bytes(DATA)
    with sharing(root / "shared", root / "own") as server:
        yield server


@pytest.fixture
def part(tmp_path: Path) -> Path:
    (tmp_path / "staging").mkdir()
    return tmp_path / "staging" / "staged"


@pytest.fixture
def shares_of(request: pytest.FixtureRequest) -> Callable[..., Shares]:
    """Makes shares that are closed in the end."""

    def make(who: Credentials | None, *, answer_s: float = 20) -> Shares:
        shares = Shares(lambda: who, patience=Patience(connect_s=20, answer_s=answer_s))
        request.addfinalizer(shares.close)
        return shares

    return make


@pytest.fixture
def shares(server: Samba, shares_of: Callable[..., Shares]) -> Shares:
    """As a user whom the server knows."""
    known: Shares = shares_of(Credentials(server.user, PASSWORD))
    return known


def failure_of(act: Callable[[], object]) -> TransferError:
    with pytest.raises(TransferError) as caught:
        act()
    error = caught.value
    assert error.exit_code == 3
    assert error.hint
    for secret in (PASSWORD, WRONG, "smbprotocol", "STATUS_"):
        assert secret not in error.message + error.hint
    return error


# Who may read


@pytest.mark.parametrize(
    ("share", "user", "password", "code"),
    [
        ("files", None, WRONG, "logon-refused"),
        ("files", "nobody-of-that-name", WRONG, "logon-refused"),  # Samba would have it as a guest
        ("for guests", None, WRONG, "logon-refused"),  # a wrong password makes no guest
        ("nothing", None, PASSWORD, "no-such-share"),
        ("not yours", None, PASSWORD, "source-refused"),
    ],
)
def test_who_may_not_read_is_told_why(
    server: Samba, shares_of: Callable[..., Shares], *, share: str, user: str | None, password: str, code: str
) -> None:
    source = shares_of(Credentials(user or server.user, password)).source(server.url(share))

    assert failure_of(lambda: source.size(NAME)).code == code


def test_a_guest_reads_what_is_for_guests_and_nothing_else(
    server: Samba, shares_of: Callable[..., Shares], part: Path
) -> None:
    nobody: Shares = shares_of(None)

    assert nobody.source(server.url("for guests")).fetch(NAME, part).sha256 == SHA256
    assert failure_of(lambda: nobody.source(server.url("files")).size(NAME)).code == "source-refused"


def test_a_file_without_the_right_to_read_it_is_refused(server: Samba, shares: Shares, part: Path) -> None:
    secret = server.shared / "locked"
    secret.mkdir(exist_ok=True)
    secret.chmod(0o755)
    (secret / NAME.text).write_bytes(DATA)
    (secret / NAME.text).chmod(0o600)
    for folder in (server.shared, *server.shared.parents[:2]):
        folder.chmod(0o755)

    source = shares.source(server.url("few rights", "locked"))

    assert failure_of(lambda: source.fetch(NAME, part)).code == "source-refused"
    assert not part.exists()


def test_a_link_that_leads_out_of_the_share_brings_nothing(
    server: Samba, shares: Shares, part: Path, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_bytes(DATA)
    folder = server.shared / "links"
    folder.mkdir()
    (folder / NAME.text).symlink_to(tmp_path / "secret")

    error = failure_of(lambda: shares.source(server.url("files", "links")).fetch(NAME, part))

    assert error.code in {"outside-source", "not-at-source", "source-refused"}
    assert not part.exists()


def test_a_wrong_password_is_tried_once_however_many_files_are_wanted(
    server: Samba, shares_of: Callable[..., Shares]
) -> None:
    logons: list[Frame] = []

    def watch(frame: Frame) -> Frame:
        if frame[12:14] == b"\x01\x00" and frame[8:12] == b"\x6d\x00\x00\xc0":
            logons.append(frame)
        return frame

    with way(server.port, watch) as port, ThreadPoolExecutor(4) as pool:
        source = shares_of(Credentials(server.user, WRONG)).source(server.url(port=port))
        jobs = [pool.submit(source.size, NAME) for _ in range(12)]
        codes = {failure_of(job.result).code for job in jobs}
    assert codes == {"logon-refused"}
    assert len(logons) == 1


def test_an_encrypted_share_is_read(tmp_path: Path, shares_of: Callable[..., Shares], part: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / NAME.text).write_bytes(DATA)
    frames: list[Frame] = []

    def watch(frame: Frame) -> Frame:
        frames.append(frame)
        return frame

    with sharing(tmp_path / "shared", tmp_path / "own", encrypt="required") as server, way(server.port, watch) as port:
        source = shares_of(Credentials(server.user, PASSWORD)).source(server.url(port=port))
        assert source.fetch(NAME, part).sha256 == SHA256
    assert frames[-1].startswith(b"\xfdSMB")
    assert not any(is_piece(frame) for frame in frames if frame.startswith(b"\xfeSMB"))


# The way


class AtPiece:
    """A filter that acts on the n-th piece of files, counted from 1, and on those after it."""

    def __init__(self, number: int, act: Filter) -> None:
        self._number = number
        self._act = act
        self.seen = 0

    def __call__(self, frame: Frame) -> Frame:
        self.seen += is_piece(frame)
        return self._act(frame) if is_piece(frame) and self.seen >= self._number else frame


def hang_up(_frame: Frame) -> Frame:
    raise HangUp


def fall_silent(_frame: Frame) -> Frame:
    raise FallSilent


def half(frame: Frame) -> Frame:
    """A message that says less than it promised."""
    return frame[: len(frame) // 2]


def garbage(frame: Frame) -> Frame:
    return b"\xff" * len(frame)


@pytest.mark.parametrize("number", [1, 3])
@pytest.mark.parametrize(
    ("act", "code"),
    [
        (hang_up, "source-went-away"),
        (fall_silent, "source-went-away"),
        (half, "source-went-away"),
        (garbage, "source-went-away"),
        (forged, "unsigned-answer"),
        (unsigned, "unsigned-answer"),
        (lambda frame: unsigned(forged(frame)), "unsigned-answer"),
    ],
)
def test_a_way_that_fails_or_lies_brings_nothing_and_the_next_try_succeeds(
    server: Samba,
    shares_of: Callable[..., Shares],
    part: Path,
    capfd: pytest.CaptureFixture[str],
    *,
    act: Filter,
    code: str,
    number: int,
) -> None:
    filter_ = AtPiece(number, act)
    with way(server.port, filter_) as port:
        source = shares_of(Credentials(server.user, PASSWORD), answer_s=1.5).source(server.url(port=port))
        assert failure_of(lambda: source.fetch(NAME, part)).code == code
        assert filter_.seen >= number
        assert list(part.parent.iterdir()) == []
        filter_._act = lambda frame: frame
        assert source.fetch(NAME, part).sha256 == SHA256
    assert capfd.readouterr().err == ""


def test_whoever_takes_every_signature_away_gets_nowhere(
    server: Samba, shares_of: Callable[..., Shares], part: Path
) -> None:
    with way(server.port, unsigned) as port:
        source = shares_of(Credentials(server.user, PASSWORD)).source(server.url(port=port))
        assert failure_of(lambda: source.fetch(NAME, part)).code in {"unsigned-answer", "cannot-connect"}
    assert not part.exists()


def test_a_server_that_was_ended_and_begun_again_is_read_by_the_same_shares(
    tmp_path: Path, shares_of: Callable[..., Shares], part: Path
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / NAME.text).write_bytes(DATA)
    with sharing(tmp_path / "shared", tmp_path / "own") as server:
        shares: Shares = shares_of(Credentials(server.user, PASSWORD))
        source = shares.source(server.url())

        def kill(_done: int) -> None:
            server.kill()

        assert failure_of(lambda: source.fetch(NAME, part, progress=kill)).code == "source-went-away"
        assert not part.exists()
        assert failure_of(lambda: source.size(NAME)).code == "cannot-connect"
        server.start()
        # A run remembers who was out of reach until it lets go of everything.
        assert failure_of(lambda: source.size(NAME)).code == "cannot-connect"
        shares.close()
        assert source.fetch(NAME, part).sha256 == SHA256


def test_closing_ends_a_transfer_that_waits(server: Samba, shares_of: Callable[..., Shares], part: Path) -> None:
    waits = threading.Event()

    def silent(_frame: Frame) -> Frame:
        waits.set()
        raise FallSilent

    shares: Shares = shares_of(Credentials(server.user, PASSWORD), answer_s=600)
    with way(server.port, AtPiece(2, silent)) as port, ThreadPoolExecutor(1) as pool:
        job = pool.submit(shares.source(server.url(port=port)).fetch, NAME, part)
        assert waits.wait(30)
        shares.close()
        assert failure_of(lambda: job.result(30)).code == "source-went-away"
    assert not part.exists()


# What is given back


def test_many_threads_share_a_few_connections(server: Samba, shares: Shares, tmp_path: Path) -> None:
    names = [parse(NAME.text.replace("9.66.7567.1", f"9.66.{number}.1")) for number in range(16)]
    for name in names:
        (server.shared / name.text).write_bytes(DATA)
    callers: set[int] = set()

    def watch(frame: Frame) -> Frame:
        callers.add(threading.get_ident())
        return frame

    with way(server.port, watch) as port:
        source = shares.source(server.url(port=port))
        with ThreadPoolExecutor(4) as pool:
            digests = list(pool.map(lambda name: source.fetch(name, tmp_path / name.text).sha256, names))
    assert digests == [SHA256] * len(names)
    assert 1 <= len(callers) <= 4


def test_closing_hangs_up_and_a_later_use_begins_anew(server: Samba, shares: Shares, part: Path) -> None:
    before = threading.active_count()
    source = shares.source(server.url())
    source.size(NAME)
    assert threading.active_count() > before
    shares.close()
    assert threading.active_count() == before
    assert source.fetch(NAME, part).sha256 == SHA256
