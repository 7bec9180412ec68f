"""The commands that install and register an agent by hand, as a value.

`guide` picks the words that fit the release and fills in the real file name, the address and the
paths; whatever is not known stays a placeholder such as `<CSIP>`. `placing` is the other chore: a
package that the servers do not bring with them, put into the repository by hand. Nothing here
knows a passphrase: only the path of the file that holds it.

Evidence, named in short below:
- *article 2020*: the overview article of the Mobility service, September 2020 (agent 9.37).
- *article 2021*: the same, 2021-08-19 (agent 9.44), MicrosoftDocs/azure-docs.
- *article 2023*: the same, after agent 9.55, MicrosoftDocs/azure-docs.
"""

from __future__ import annotations

import ipaddress
import re
import shlex
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from repo_manager.core.errors import InputError
from repo_manager.core.names import WINDOWS, Release

if TYPE_CHECKING:
    from repo_manager.core.names import Token

CS_IP: Final = "<CSIP>"
PASSPHRASE_FILE: Final = "<PassphraseFilePath>"  # noqa: S105 - a placeholder for a path, and no secret at all

WINDOWS_INSTALL_DIR: Final = r"C:\Program Files (x86)\Microsoft Azure Site Recovery"
LINUX_INSTALL_DIR: Final = "/usr/local/ASR"

# Evidence: the article of 2020 says MS and MT, the article of 2021 Agent and MasterTarget; 9.40 is the
# first release of 2021. Doubt: the 9.48 installer refused Agent and asked for MS or MT
# (MicrosoftDocs/azure-docs issue 90016), and the article of 2023 writes MS again. So a remark beside
# the command always names the other words.
RENAMED_SINCE: Final = Release(9, 40)

# Evidence: article 2023, "set as default for the version 9.55 and above"; issues 112912 and 113315.
LEGACY_SWITCH_SINCE: Final = Release(9, 55)
# Evidence: article 2021 calls CSPrime mandatory for the preview, which 9.44 was the first to serve.
PRIME_SWITCH_SINCE: Final = Release(9, 44)

VSS_OPTIONAL_SINCE: Final = Release(9, 23)
VM_AGENT_SINCE: Final = Release(9, 7)
SHA2_SINCE: Final = Release(9, 30)

WINDOWS_LOGS: Final = (
    r"%ProgramData%\ASRSetupLogs\ASRUnifiedAgentInstaller.log",
    r"%ProgramData%\ASRSetupLogs\ASRUnifiedAgentConfigurator.log",
)

_POSIX_PATH: Final = re.compile(r"/.*", re.DOTALL)
_DRIVE_PATH: Final = re.compile(r"[A-Za-z]:\\.*", re.DOTALL)
_UNC_PATH: Final = re.compile(r"\\\\[^\\]+\\[^\\]+\\.+", re.DOTALL)
# cmd expands %NAME% even between quotes and has no way to write a quote between quotes; no Windows
# path can hold the others.
_NOT_ON_WINDOWS: Final = frozenset('"%<>|?*')
_NOT_IN_A_FILE_NAME: Final = _NOT_ON_WINDOWS | frozenset("/\\:")
# What cmd and the C runtime both read as one plain word.
_PLAIN_WORD: Final = re.compile(r"[A-Za-z0-9_.:/\\+@~\-]+", re.ASCII)


class System(StrEnum):
    """The two families of machines."""

    WINDOWS = "Windows"
    LINUX = "Linux"


class Shell(StrEnum):
    """Who reads the commands, and so which quoting they carry."""

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


@dataclass(frozen=True, slots=True)
class Parameter:
    """One switch of a command. `values` are the words it takes; empty when it takes any text or none."""

    flag: str
    required: bool
    meaning: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Step:
    """Commands to run one after the other in one shell. `remark` may be empty."""

    title: str
    shell: Shell
    commands: tuple[str, ...]
    parameters: tuple[Parameter, ...] = ()
    remark: str = ""


@dataclass(frozen=True, slots=True)
class Guide:
    """Everything to install one agent by hand. `logs` is empty where no document names a place.

    `registers` is False for the modernized experience: the steps end with the installation.
    """

    package: Token
    release: Release
    system: System
    file_name: str
    install_dir: str
    classic: bool
    registers: bool
    steps: tuple[Step, ...]
    logs: tuple[str, ...]
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Placing:
    """How to put a package into the repository by hand, in sentences, in the order to do them."""

    title: str
    file_name: str
    folder: str
    sentences: tuple[str, ...]


def guide(  # noqa: PLR0913 - each is one thing the operator may know, all but two by name
    token: Token,
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
        token: decides between Windows and Linux.
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
    _check_file_name(file_name)
    system = System.WINDOWS if token == WINDOWS else System.LINUX
    machine = _Machine(
        release=release,
        classic=classic,
        file_name=file_name,
        address=CS_IP if cs_ip is None else _address(cs_ip),
        passphrase_file=_passphrase_file(passphrase_file, system),
        install_dir=_install_dir(install_dir, system),
        role=role,
        platform=platform,
    )
    steps = _windows_steps(machine) if system is System.WINDOWS else _linux_steps(machine)
    return Guide(
        package=token,
        release=release,
        system=system,
        file_name=file_name,
        install_dir=machine.install_dir,
        classic=classic,
        registers=classic,
        steps=steps,
        logs=WINDOWS_LOGS if system is System.WINDOWS else (),
        notes=_notes(system, machine),
    )


def placing(file_name: str, folder: str, *, service: str = "InMage PushInstall") -> Placing:
    """Tell how a package that the servers do not bring with them gets into the repository.

    Args:
        file_name: the installer's real name.
        folder: the repository on the configuration server, as that server writes it.
        service: the display name of the service that reads the folder.

    Raises:
        InputError: `not-a-file-name`.

    Evidence: article 2020, the sections on SUSE 11 SP3, RHEL 5 and Debian 7.
    """
    _check_file_name(file_name)
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


def quote_cmd(text: str) -> str:
    """One argument for a program started at a cmd prompt, in double quotes.

    The quotes are for cmd, to which `&`, `^`, `(` and a space mean something outside of them. A
    backslash before the closing quote is doubled, because the C runtime would read it as an escape.

    Raises:
        InputError: `cannot-be-quoted`: there is no way to write this character at a prompt.
    """
    _check_printable(text)
    for character in '"%':
        if character in text:
            raise _unquotable(text, character)
    trailing = text[len(text.rstrip("\\")) :]
    return f'"{text}{trailing}"'


@dataclass(frozen=True, slots=True)
class _Machine:
    """What the steps are made of; every text has passed its check."""

    release: Release
    classic: bool
    file_name: str
    address: str
    passphrase_file: str | None
    install_dir: str
    role: Role
    platform: Platform

    @property
    def roles(self) -> tuple[str, str]:
        """The installer's words for agent and master target."""
        return ("Agent", "MasterTarget") if self.release >= RENAMED_SINCE else ("MS", "MT")

    @property
    def role_word(self) -> str:
        return self.roles[self.role is Role.MASTER_TARGET]

    @property
    def stack(self) -> str | None:
        """The experience to tell the installer; None where it knows no such switch."""
        if self.classic:
            return "CSLegacy" if self.release >= LEGACY_SWITCH_SINCE else None
        return "CSPrime" if self.release >= PRIME_SWITCH_SINCE else None


def _windows_steps(machine: _Machine) -> tuple[Step, ...]:
    # Evidence: the classic lines are the articles' own; the modernized experience starts
    # UnifiedAgentInstaller.exe out of the same package (articles 2021 and 2023).
    program = "UnifiedAgent.exe" if machine.classic else "UnifiedAgentInstaller.exe"
    stack = f" /CSType {machine.stack}" if machine.stack else ""
    where = f"/InstallLocation {quote_cmd(machine.install_dir)}"
    extract = Step(
        "Unpack the installer",
        Shell.CMD,
        (
            r"cd C:\Temp",
            f"ren {_word(machine.file_name)} MobilityServiceInstaller.exe",
            r"MobilityServiceInstaller.exe /q /x:C:\Temp\Extracted",
            r"cd C:\Temp\Extracted",
        ),
        remark=r"Copy the installer to C:\Temp first, and open the command prompt as an administrator.",
    )
    install = Step(
        "Install the agent",
        Shell.CMD,
        (f'{program} /Role "{machine.role_word}" {where} /Platform "{machine.platform}" /Silent{stack}',),
        _install_parameters(machine, "/Role", "/InstallLocation", "/Platform", "/Silent", "/CSType"),
        _role_remark(machine),
    )
    if not machine.classic:
        return (extract, install)
    agent_dir = _below(machine.install_dir, "\\", "agent")
    passphrase = PASSPHRASE_FILE if machine.passphrase_file is None else _word(machine.passphrase_file)
    register = Step(
        "Register the agent with the configuration server",
        Shell.CMD,
        (
            f"cd /d {_word(agent_dir)}",
            f"UnifiedAgentConfigurator.exe /CSEndPoint {machine.address} /PassphraseFilePath {passphrase}",
        ),
        (
            Parameter("/CSEndPoint", True, "IP address of the configuration server"),
            Parameter("/PassphraseFilePath", True, "local or UNC path of the file that holds the passphrase"),
        ),
        "With /d, cd changes the drive as well as the folder.",
    )
    return (extract, install, register)


def _linux_steps(machine: _Machine) -> tuple[Step, ...]:
    name = shlex.quote(machine.file_name)
    stack = f" -c {machine.stack}" if machine.stack else ""
    where = f"-d {shlex.quote(machine.install_dir)}"
    extract = Step(
        "Unpack the installer",
        Shell.SH,
        ("cd /tmp", f"tar -xvf {name}"),
        # Found by trying: GNU tar 1.34 knows gzip and xz by their first bytes, but for LZMA it goes
        # by the name, and a .tar.gz sends it to gzip.
        remark="Copy the installer to /tmp first. Some archives hold xz or LZMA under this name, so leave out -z; "
        f"if tar answers 'not in gzip format', run: tar --lzma -xvf {name}",
    )
    install = Step(
        "Install the agent",
        Shell.SH,
        (f"sudo ./install {where} -r {machine.role_word} -v {machine.platform} -q{stack}",),
        _install_parameters(machine, "-r", "-d", "-v", "-q", "-c"),
        _role_remark(machine),
    )
    if not machine.classic:
        return (extract, install)
    configurator = shlex.quote(_below(machine.install_dir, "/", "Vx/bin/UnifiedAgentConfigurator.sh"))
    passphrase = PASSPHRASE_FILE if machine.passphrase_file is None else shlex.quote(machine.passphrase_file)
    register = Step(
        "Register the agent with the configuration server",
        Shell.SH,
        # Evidence: article 2023 asks for -c CSLegacy here as well; only on Linux.
        (f"sudo {configurator} -i {machine.address} -P {passphrase}{stack}",),
        (
            Parameter("-i", True, "IP address of the configuration server"),
            Parameter("-P", True, "full path of the file that holds the passphrase"),
            *_stack_parameters(machine, "-c"),
        ),
    )
    return (extract, install, register)


def _install_parameters(  # noqa: PLR0913, PLR0917 - the five switches, in the order the commands show them
    machine: _Machine, role: str, where: str, platform: str, silent: str, stack: str
) -> tuple[Parameter, ...]:
    what = _ROLE_MEANING[machine.roles]
    words = machine.roles if machine.classic else machine.roles[:1]
    default = WINDOWS_INSTALL_DIR if where.startswith("/") else LINUX_INSTALL_DIR
    return (
        Parameter(role, True, what, words),
        Parameter(where, False, f"where to install, any folder; usually {default}"),
        Parameter(platform, True, _PLATFORM_MEANING, tuple(Platform)),
        Parameter(silent, False, "install without asking"),
        *_stack_parameters(machine, stack),
    )


def _stack_parameters(machine: _Machine, flag: str) -> tuple[Parameter, ...]:
    if machine.stack is None:
        return ()
    meaning = "CSLegacy for the classic experience, CSPrime for the modernized one"
    if machine.release >= LEGACY_SWITCH_SINCE:
        meaning += "; without it the modernized one is assumed"
    return (
        Parameter(flag, machine.classic or machine.release < LEGACY_SWITCH_SINCE, meaning, ("CSLegacy", "CSPrime")),
    )


def _role_remark(machine: _Machine) -> str:
    if machine.release < RENAMED_SINCE:
        return ""
    return "The documents disagree on the role's spelling: if the installer refuses the word, write MS or MT."


def _notes(system: System, machine: _Machine) -> tuple[str, ...]:
    """What to know besides the commands. Evidence: article 2020 unless said otherwise."""
    return (
        *(() if machine.classic else (_MODERNIZED,)),
        "The agent uses about 6 to 10 % of the machine's memory.",
        *(_windows_notes(machine.release) if system is System.WINDOWS else (_LINUX_VM_AGENT,)),
    )


def _windows_notes(release: Release) -> tuple[str, ...]:
    return (
        r"Exclude C:\ProgramData\ASR\agent from the antivirus software of the machine.",
        "A VSS provider is installed as well; if that fails, the agent is installed all the same, with a warning, and "
        "only application-consistent recovery points are missing."
        if release >= VSS_OPTIONAL_SINCE
        else "A VSS provider is installed as well; if that fails, the agent is not installed. From release "
        f"{VSS_OPTIONAL_SINCE} on it is only a warning.",
        "The installer brings the Azure VM agent with it."
        if release >= VM_AGENT_SINCE
        else f"Install the Azure VM agent by hand: the installer brings it only from release {VM_AGENT_SINCE} on.",
        # Evidence: what's new, update rollup 42 (9.30), 2019-11.
        *(
            ("Windows Server 2008 R2 SP1 needs the SHA-2 and servicing stack updates first.",)
            if release >= SHA2_SINCE
            else ()
        ),
        "For Azure machines replicated between regions use these commands, never the installer's windows.",
    )


_ROLE_MEANING: Final = {
    ("MS", "MT"): "what to install: MS (also written Agent) or, for a master target, MT (also written MasterTarget)",
    ("Agent", "MasterTarget"): "what to install: Agent (also written MS) or, for a master target, MasterTarget "
    "(also written MT)",
}
_PLATFORM_MEANING: Final = (
    "VmWare for VMware machines and physical servers, also for Azure machines treated as physical; Azure for Azure "
    "machines"
)
_MODERNIZED: Final = (
    "Registering with an IP address and a passphrase belongs to the classic experience. In the modernized one the "
    "agent is registered with the configuration file that the appliance makes from the string the installer prints "
    "(Agent Config Input); that step is not shown here."
)
# Evidence: article 2020 against articles 2021 and 2023, which say it is installed automatically.
_LINUX_VM_AGENT: Final = (
    "After failover the Azure machine needs the Azure Linux agent (WALinuxAgent): install it by hand unless it is "
    "there; later documents say that it is installed automatically."
)


def _address(text: str) -> str:
    try:
        ipaddress.ip_address(text)
    except ValueError as error:
        raise _not_an_address(text) from error
    # A zone (fe80::1%eth0) means something on one machine only, and cmd would expand its percent sign.
    if "%" in text:
        raise _not_an_address(text)
    return text


def _not_an_address(text: str) -> InputError:
    return InputError(
        "not-an-ip-address",
        f"{text[:80]!r} is not an IP address",
        "give the configuration server's address, such as 10.0.0.4, not its name",
    )


def _passphrase_file(text: str | None, system: System) -> str | None:
    if text is None:
        return None
    if system is System.WINDOWS:
        example = r"C:\Temp\passphrase.txt or \\server\share\passphrase.txt"
        _check_absolute(text, "passphrase file", example, _DRIVE_PATH, _UNC_PATH)
        _check_windows_path(text)
    else:
        _check_absolute(text, "passphrase file", "/var/passphrase.txt", _POSIX_PATH)
    _check_printable(text)
    return text


def _install_dir(text: str | None, system: System) -> str:
    """The folder without separators at its end, so that a path below it can be written."""
    if system is System.WINDOWS:
        folder = WINDOWS_INSTALL_DIR if text is None else text
        # No share: cmd cannot change into one, and no service starts from there.
        _check_absolute(folder, "install folder", WINDOWS_INSTALL_DIR, _DRIVE_PATH)
        _check_windows_path(folder)
        _check_printable(folder)
        stripped = folder.rstrip("\\")
        return f"{stripped}\\" if stripped.endswith(":") else stripped
    folder = LINUX_INSTALL_DIR if text is None else text
    _check_absolute(folder, "install folder", LINUX_INSTALL_DIR, _POSIX_PATH)
    _check_printable(folder)
    return folder.rstrip("/") or "/"


def _below(folder: str, separator: str, rest: str) -> str:
    """A path below a folder, which ends in a separator only when it is a root."""
    return folder + rest if folder.endswith(separator) else folder + separator + rest


def _check_absolute(text: str, what: str, example: str, *shapes: re.Pattern[str]) -> None:
    if not any(shape.fullmatch(text) for shape in shapes):
        raise InputError(
            "not-an-absolute-path",
            f"the {what} {text[:120]!r} is not a full path on that machine",
            f"write the whole path, such as {example}",
        )


def _check_windows_path(text: str) -> None:
    # A slash would do in a path, but these programs read it as the start of a switch.
    bad = next((character for character in text if character in _NOT_ON_WINDOWS or character == "/"), None)
    if bad is not None:
        raise _unquotable(text, bad)
    if ":" in text[2:]:
        raise _unquotable(text, ":")


def _check_file_name(text: str) -> None:
    if (
        not text.strip(". ")
        or text.startswith("-")
        or not text.isprintable()
        or any(character in _NOT_IN_A_FILE_NAME for character in text)
    ):
        raise InputError(
            "not-a-file-name", f"{text[:120]!r} is not a file's name", "give the installer's name without a folder"
        )


def _check_printable(text: str) -> None:
    """Refuse line breaks and every invisible character: what is pasted must be what was read."""
    bad = next((character for character in text if not character.isprintable()), None)
    if bad is not None:
        raise _unquotable(text, bad)


def _unquotable(text: str, character: str) -> InputError:
    return InputError(
        "cannot-be-quoted",
        f"{text[:120]!r} holds {character!r}, which cannot be written in this command",
        "choose a path without this character",
    )


def _word(text: str) -> str:
    """An argument at a cmd prompt, quoted only where it must be."""
    return text if _PLAIN_WORD.fullmatch(text) else quote_cmd(text)
