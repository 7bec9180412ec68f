"""What can go wrong, grouped by who can put it right.

    RepoManagerError
    ├── InputError         the operator: a name, an option, a setting, the catalog          exit 2
    ├── TransferError      the way: network, proxy, vendor; running again helps              exit 3
    ├── VerificationError  the bytes: size, digest, kind, contents; never used               exit 4
    ├── MachineError       the machine: rights, space, a file in use                         exit 3
    ├── ServiceError       the service did not do as it was told                             exit 5
    ├── DeclinedError      whoever was asked said no                                          exit 1
    └── LockedError        another run is at work                                            exit 6

Every error has a stable kebab-case `code`, a `message` that names what happened to which
thing, and a `hint`: one imperative sentence saying what to do next.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum

from repo_manager.core.redaction import redacted


class ExitCode(IntEnum):
    """What the process returns; a contract with scripts and schedules."""

    DONE = 0
    FINDINGS = 1
    USAGE = 2
    TRANSFER = 3
    VERIFICATION = 4
    SERVICE = 5
    LOCKED = 6
    PARTIAL = 7
    INTERRUPTED = 130


class RepoManagerError(Exception):
    """The root: catch this to catch everything the tool says on purpose.

    Attributes:
        code: stable and kebab-case, for scripts.
        message: what happened and to which thing, in one or more lines.
        hint: what to do next, one imperative sentence; may be empty.

    Addresses in message and hint lose what may be secret, wherever the error is printed or stored later.
    """

    exit_code = ExitCode.USAGE

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        self.code = code
        self.message = redacted(message)
        self.hint = redacted(hint)
        super().__init__(self.message)

    def __str__(self) -> str:
        return self.message


class InputError(RepoManagerError):
    """Something the operator wrote: mend it and run again."""


class NoRepositoryError(InputError):
    """There is no repository here, or this user may not look at it."""


class UntrustedFileError(InputError):
    """Others than administrators and this user could have written a file that must be trusted."""


class NoSmbClientError(InputError):
    """An address or a setting needs an SMB client, and the tool has none."""

    def __init__(self, message: str) -> None:
        super().__init__(
            "no-smb-client",
            message,
            "mount the share and name the mounted folder (see docs/how-to/mount-a-share.md); on Windows, name"
            r" \\server\share\folder",
        )


@dataclass(frozen=True, slots=True)
class Problem:
    """One mistake in a document a person wrote. `line` and `column` count from 1."""

    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"line {self.line}, column {self.column}: {self.message}"


class DocumentError(InputError):
    """A catalog or settings file with mistakes, all of them reported together, in file order."""

    def __init__(self, code: str, name: str, problems: tuple[Problem, ...], hint: str) -> None:
        problems = tuple(replace(problem, message=redacted(problem.message)) for problem in problems)
        count = f"{len(problems)} mistake{'s' if len(problems) != 1 else ''}"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(code, f"{name}: {count}\n{lines}", hint)
        self.name = redacted(name)
        self.problems = problems


class TransferError(RepoManagerError):
    """The way failed. What was whole stays; running the same command again resumes."""

    exit_code = ExitCode.TRANSFER


class VerificationError(RepoManagerError):
    """The bytes are not what they should be. Nothing of them was placed."""

    exit_code = ExitCode.VERIFICATION


class MachineError(RepoManagerError):
    """The machine refused: rights, space, a file in use, a folder that went away."""

    exit_code = ExitCode.TRANSFER


class DiskError(MachineError):
    """The disk refused to write: it is full, write-protected or damaged."""


class NoSpaceError(DiskError):
    """The disk is full."""


class NoRightsError(MachineError):
    """This user has no rights to a file or folder."""


class FileInUseError(MachineError):
    """Another program has the file open."""


class ServiceError(RepoManagerError):
    """The service did not stop, start or stay up."""

    exit_code = ExitCode.SERVICE


class ServiceAbsentError(ServiceError):
    """There is no such service."""


class ServiceUnchangedError(ServiceError):
    """The service is to be stopped and does not run, or to be started and runs."""


class DeclinedError(RepoManagerError):
    """Whoever was asked said no. The goal does not hold, so this is no success."""

    exit_code = ExitCode.FINDINGS

    def __init__(self) -> None:
        super().__init__(
            "declined", "cancelled; nothing was changed", "run the same command again and answer y, or add --yes"
        )


class LockedError(RepoManagerError):
    """Another run holds the repository's lock."""

    exit_code = ExitCode.LOCKED


def install_hint(extra: str) -> str:
    """How to install an extra; the quotes work in every shell, also in that of Windows."""
    return f'install it with: pip install "asr-repo-manager[{extra}]"'
