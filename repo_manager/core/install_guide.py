"""The commands that install and register an agent by hand, as a value.

The commands are rows of a table in the catalog. `guide` takes the rows that fit the family, the experience and the
release, and fills in the real file name, the address and the paths; what is not known stays a placeholder such as
`<CSIP>`. `placing` is the other chore: a package that the servers do not bring with them, put into the repository by
hand. Nothing here knows a passphrase: only the path of the file that holds it.
"""

from __future__ import annotations

import re
import shlex
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar

from repo_manager.core import shell_words
from repo_manager.core.errors import InputError
from repo_manager.core.systems.support import Family

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from repo_manager.core.names import Release, Token

CS_IP: Final = "<CSIP>"
PASSPHRASE_FILE: Final = "<PassphraseFilePath>"  # noqa: S105 - a placeholder for a path, and no secret at all

FILLED: Final = frozenset({"file_name", "install_dir", "role", "platform", "address", "passphrase_file"})
"""The placeholders of a command that every guide fills; paths and words of the table are more of them."""

PLACEHOLDER: Final = re.compile(r"\{([a-z_]+)\}")


# Most commands load these classes with the catalog and make none of them, so they are named tuples: a class of them
# takes a fifth of the time that a frozen dataclass takes.


class Shell(StrEnum):
    """What reads the commands, and so which quoting they carry."""

    CMD = "cmd"
    SH = "sh"


class Role(StrEnum):
    """What is installed: the agent of a protected machine, or the machine failback writes to."""

    AGENT = "agent"
    MASTER_TARGET = "master-target"


class Platform(StrEnum):
    """Where the machine runs, as the installers spell it."""

    VMWARE = "VmWare"
    AZURE = "Azure"


class Parameter(NamedTuple):
    """One switch of a command. `values` are the words it takes; empty when it takes any text or none."""

    flag: str
    required: bool
    meaning: str
    values: tuple[str, ...] = ()


class Step(NamedTuple):
    """Commands to run one after the other in one shell. `remark` may be empty, `evidence` are keys of sources."""

    title: str
    shell: Shell
    commands: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    remark: str = ""
    evidence: tuple[str, ...] = ()


class Case(NamedTuple):
    """What a guide is asked for; `classic` is False for the modernized experience."""

    family: Family
    release: Release
    classic: bool


class When(NamedTuple):
    """What a row of the table is for; None where it is for all."""

    family: Family | None = None
    classic: bool | None = None
    first: Release | None = None
    last: Release | None = None

    def fits(self, case: Case) -> bool:
        """Whether the row counts for a case."""
        return (
            self.family in {None, case.family}
            and self.classic in {None, case.classic}
            and (self.first is None or self.first <= case.release)
            and (self.last is None or case.release <= self.last)
        )


class StepRow(NamedTuple):
    """The commands of one action, with placeholders. Of the rows of an action the first that fits counts."""

    when: When
    action: str
    step: Step


class ParameterRow(NamedTuple):
    """One switch of the commands of an action. Of the rows of a switch the first that fits counts."""

    when: When
    action: str
    parameter: Parameter


class WordsRow(NamedTuple):
    """The installer's words for roles. The first row that fits counts; the last one is for all.

    `others` are more placeholders with their words; `remark` is printed beside a command with a role, and may be empty.
    """

    when: When
    agent: str
    master_target: str
    others: Mapping[str, str]
    remark: str


class NoteRow(NamedTuple):
    """What to know besides the commands. Every row that fits counts."""

    when: When
    text: str
    evidence: tuple[str, ...]


class FamilyPaths(NamedTuple):
    """Where an agent is installed by default, its logs, and paths below the folder by the name of their placeholder."""

    install_dir: str
    logs: tuple[str, ...] = ()
    below: Mapping[str, str] = MappingProxyType({})


class Guides(NamedTuple):
    """The whole table."""

    families: Mapping[Family, FamilyPaths] = MappingProxyType({})
    words: tuple[WordsRow, ...] = ()
    steps: tuple[StepRow, ...] = ()
    parameters: tuple[ParameterRow, ...] = ()
    notes: tuple[NoteRow, ...] = ()


class Guide(NamedTuple):
    """Everything to install one agent by hand. `logs` is empty where no document names a place.

    `registers` is False for the modernized experience: the steps end with the installation.
    """

    package: Token
    release: Release
    system: Family
    file_name: str
    install_dir: str
    classic: bool
    registers: bool
    steps: tuple[Step, ...]
    logs: tuple[str, ...]
    notes: tuple[str, ...]


class Placing(NamedTuple):
    """How to put a package into the repository by hand, in sentences, in the order to do them."""

    title: str
    file_name: str
    folder: str
    sentences: tuple[str, ...]


def guide(  # noqa: PLR0913 - each is one thing the operator may know, all but four by name
    table: Guides,
    token: Token,
    family: Family,
    release: Release,
    *,
    file_name: str,
    classic: bool,
    cs_ip: str | None = None,
    passphrase_file: str | None = None,
    install_dir: str | None = None,
    role: Role = Role.AGENT,
    platform: Platform = Platform.VMWARE,
) -> Guide:
    """Write down the commands for one package of one release.

    Args:
        table: the catalog's commands.
        token: the package.
        family: of the systems that it serves.
        release: decides which words and switches the installer understands.
        file_name: the installer's real name.
        classic: whether a configuration server is there; False for the modernized experience.
        cs_ip: the configuration server's address; None leaves the placeholder.
        passphrase_file: full path, on the machine, of the file with the passphrase; likewise.
        install_dir: full path on the machine; None takes the vendor's default.
        role: the agent, or a master target, which only the classic experience has.
        platform: where the machine runs; Azure machines treated as physical ones are `VmWare`.

    Raises:
        InputError: `not-an-ip-address`, `not-an-absolute-path`, `cannot-be-quoted`,
            `not-a-file-name` or `no-such-role`.
    """
    if role is Role.MASTER_TARGET and not classic:
        raise InputError(
            "no-such-role",
            "the modernized experience has no master target to install by hand",
            "choose the role agent, or a classic profile",
        )
    shell_words.check_file_name(file_name)
    case = Case(family, release, classic)
    words = next(row for row in table.words if row.when.fits(case))
    paths = table.families[family]
    shell = _SHELLS[family]
    address = CS_IP if cs_ip is None else shell_words.address(cs_ip)
    passphrase = shell_words.passphrase_file(passphrase_file, family)
    folder = shell_words.install_dir(install_dir, family, paths.install_dir)
    filled = {
        **words.others,
        **{name: shell.word(shell_words.below(folder, shell.separator, rest)) for name, rest in paths.below.items()},
        "file_name": shell.word(file_name),
        "install_dir": shell.folder(folder),
        "role": words.master_target if role is Role.MASTER_TARGET else words.agent,
        "platform": platform.value,
        "address": address,
        "passphrase_file": PASSPHRASE_FILE if passphrase is None else shell.word(passphrase),
    }
    steps = _first_fitting(table.steps, lambda row: row.action, case)
    parameters = _first_fitting(table.parameters, lambda row: row.action + row.parameter.flag, case)
    return Guide(
        package=token,
        release=release,
        system=family,
        file_name=file_name,
        install_dir=folder,
        classic=classic,
        registers=classic,
        steps=tuple([_step(row, shell.name, parameters, words.remark, filled) for row in steps]),
        logs=paths.logs,
        notes=tuple([row.text for row in table.notes if row.when.fits(case)]),
    )


def placing(file_name: str, folder: str, *, service: str = "InMage PushInstall") -> Placing:
    """Tell how a package that the servers do not bring with them gets into the repository.

    Args:
        file_name: the installer's real name.
        folder: the repository on the configuration server, as that server writes it.
        service: the display name of the service that reads the folder.

    Raises:
        InputError: `not-a-file-name`.

    Evidence: overview-2020-09, the sections on SUSE 11 SP3, RHEL 5 and Debian 7.
    """
    shell_words.check_file_name(file_name)
    return Placing(
        title="Place the package by hand",
        file_name=file_name,
        folder=folder,
        sentences=(
            f"Download {file_name} from the Microsoft Download Center.",
            f"Copy it to {folder} on the configuration server.",
            f"Restart the service {service} on the configuration server.",
            "Copy it to the same folder on each scale-out process server.",
            f"Restart the service {service} on each of them.",
        ),
    )


class _Writing(NamedTuple):
    """How commands are written for a shell: its words, and the folder of the agent."""

    name: Shell
    separator: str
    word: Callable[[str], str]
    folder: Callable[[str], str]


_Row = TypeVar("_Row", StepRow, ParameterRow)


def _first_fitting(rows: Iterable[_Row], key: Callable[[_Row], str], case: Case) -> list[_Row]:
    """The first row that fits of each key, in the order of the keys."""
    found: dict[str, _Row] = {}
    for row in rows:
        if row.when.fits(case):
            found.setdefault(key(row), row)
    return list(found.values())


def _step(
    row: StepRow, shell: Shell, parameters: Iterable[ParameterRow], role_remark: str, filled: Mapping[str, str]
) -> Step:
    has_role = any("{role}" in command for command in row.step.commands)
    own = [each.parameter for each in parameters if each.action == row.action]
    return row.step._replace(
        shell=shell,
        commands=_fill_all(row.step.commands, filled),
        parameters=tuple(
            [each._replace(meaning=_fill(each.meaning, filled), values=_fill_all(each.values, filled)) for each in own]
        ),
        remark=_fill(row.step.remark, filled) or (role_remark if has_role else ""),
    )


def _fill_all(texts: Iterable[str], filled: Mapping[str, str]) -> tuple[str, ...]:
    return tuple([_fill(text, filled) for text in texts])


def _fill(text: str, filled: Mapping[str, str]) -> str:
    return PLACEHOLDER.sub(lambda match: filled[match[1]], text)


_SHELLS: Final = {
    Family.WINDOWS: _Writing(Shell.CMD, "\\", shell_words.cmd_word, shell_words.quote_cmd),
    Family.LINUX: _Writing(Shell.SH, "/", shlex.quote, shlex.quote),
}
