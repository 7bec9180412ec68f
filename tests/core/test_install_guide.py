from __future__ import annotations

import shlex
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from simulator import GUIDES, REAL

from repo_manager.core import install_guide
from repo_manager.core.errors import InputError
from repo_manager.core.install_guide import Guide, Parameter, Platform, Role, Shell, placing
from repo_manager.core.names import WINDOWS, Release, Token
from repo_manager.core.shell_words import quote_cmd
from repo_manager.core.systems.support import Family

WINDOWS_FILE = r"C:\Temp\passphrase.txt"
LINUX_FILE = "/var/passphrase.txt"
EXE = "Microsoft-ASR_UA_9.30.0.0_Windows_GA_22Oct2019_release.exe"
TAR = "Microsoft-ASR_UA_9.30.0.0_UBUNTU-16.04-64_GA_22Oct2019_release.tar.gz"
UBUNTU = Token("UBUNTU-16.04-64")
DEFAULT = r"C:\Program Files (x86)\Microsoft Azure Site Recovery"


def guide(token: Token, release: Release, **options: Any) -> Guide:  # noqa: ANN401 - as of the function itself
    return install_guide.guide(GUIDES, token, REAL.packages[token].family, release, **options)


def windows(
    release: str = "9.37",
    *,
    classic: bool = True,
    cs_ip: str | None = None,
    passphrase_file: str | None = None,
    install_dir: str | None = None,
    role: Role = Role.AGENT,
) -> Guide:
    return guide(
        WINDOWS,
        Release.parse(release),
        file_name=EXE,
        classic=classic,
        cs_ip=cs_ip,
        passphrase_file=passphrase_file,
        install_dir=install_dir,
        role=role,
    )


def linux(
    release: str = "9.37",
    *,
    classic: bool = True,
    cs_ip: str | None = None,
    passphrase_file: str | None = None,
    install_dir: str | None = None,
    role: Role = Role.AGENT,
) -> Guide:
    return guide(
        UBUNTU,
        Release.parse(release),
        file_name=TAR,
        classic=classic,
        cs_ip=cs_ip,
        passphrase_file=passphrase_file,
        install_dir=install_dir,
        role=role,
    )


def commands(wanted: Guide) -> tuple[str, ...]:
    return tuple(command for step in wanted.steps for command in step.commands)


def parameters(wanted: Guide) -> dict[str, Parameter]:
    return {parameter.flag: parameter for step in wanted.steps for parameter in step.parameters}


def test_windows_commands_are_those_of_the_article_filled_in() -> None:
    answer = windows(cs_ip="10.0.0.4", passphrase_file=WINDOWS_FILE)

    assert commands(answer) == (
        r"cd C:\Temp",
        f"ren {EXE} MobilityServiceInstaller.exe",
        r"MobilityServiceInstaller.exe /q /x:C:\Temp\Extracted",
        r"cd C:\Temp\Extracted",
        f'UnifiedAgent.exe /Role "MS" /InstallLocation "{DEFAULT}" /Platform "VmWare" /Silent',
        rf'cd /d "{DEFAULT}\agent"',
        r"UnifiedAgentConfigurator.exe /CSEndPoint 10.0.0.4 /PassphraseFilePath C:\Temp\passphrase.txt",
    )
    assert {step.shell for step in answer.steps} == {Shell.CMD}


def test_linux_commands_are_those_of_the_article_filled_in() -> None:
    answer = linux(cs_ip="10.0.0.4", passphrase_file=LINUX_FILE)

    assert commands(answer) == (
        "cd /tmp",
        f"tar -xvf {TAR}",
        "sudo ./install -d /usr/local/ASR -r MS -v VmWare -q",
        "sudo /usr/local/ASR/Vx/bin/UnifiedAgentConfigurator.sh -i 10.0.0.4 -P /var/passphrase.txt",
    )
    assert {step.shell for step in answer.steps} == {Shell.SH}


def test_what_is_not_given_stays_a_placeholder() -> None:
    assert commands(windows())[-1] == (
        "UnifiedAgentConfigurator.exe /CSEndPoint <CSIP> /PassphraseFilePath <PassphraseFilePath>"
    )
    assert commands(linux())[-1] == (
        "sudo /usr/local/ASR/Vx/bin/UnifiedAgentConfigurator.sh -i <CSIP> -P <PassphraseFilePath>"
    )


INSTALL = f'/InstallLocation "{DEFAULT}" /Platform "VmWare" /Silent'


@pytest.mark.parametrize(
    ("release", "classic", "on_windows", "on_linux"),
    [
        # the documents of 2020 say MS
        ("9.39", True, f'UnifiedAgent.exe /Role "MS" {INSTALL}', "-r MS -v VmWare -q"),
        # the first release of 2021, the year the documents said Agent
        ("9.40", True, f'UnifiedAgent.exe /Role "Agent" {INSTALL}', "-r Agent -v VmWare -q"),
        ("9.48", True, f'UnifiedAgent.exe /Role "Agent" {INSTALL}', "-r Agent -v VmWare -q"),
        # the last one that assumes the classic experience
        ("9.54", True, f'UnifiedAgent.exe /Role "Agent" {INSTALL}', "-r Agent -v VmWare -q"),
        # the first one that must be told
        (
            "9.55",
            True,
            f'UnifiedAgent.exe /Role "Agent" {INSTALL} /CSType CSLegacy',
            "-r Agent -v VmWare -q -c CSLegacy",
        ),
        (
            "9.66",
            True,
            f'UnifiedAgent.exe /Role "Agent" {INSTALL} /CSType CSLegacy',
            "-r Agent -v VmWare -q -c CSLegacy",
        ),
        # two digits after the dot: 9.6 is older than 9.55
        ("9.6", True, f'UnifiedAgent.exe /Role "MS" {INSTALL}', "-r MS -v VmWare -q"),
        # before the modernized experience there was no switch for it
        ("9.43", False, f'UnifiedAgentInstaller.exe /Role "Agent" {INSTALL}', "-r Agent -v VmWare -q"),
        # its preview asked for the switch
        (
            "9.44",
            False,
            f'UnifiedAgentInstaller.exe /Role "Agent" {INSTALL} /CSType CSPrime',
            "-r Agent -v VmWare -q -c CSPrime",
        ),
        (
            "9.66",
            False,
            f'UnifiedAgentInstaller.exe /Role "Agent" {INSTALL} /CSType CSPrime',
            "-r Agent -v VmWare -q -c CSPrime",
        ),
    ],
)
def test_the_words_fit_the_release(release: str, classic: bool, on_windows: str, on_linux: str) -> None:  # noqa: FBT001 - a row of the table
    assert commands(windows(release, classic=classic))[4] == on_windows
    assert commands(linux(release, classic=classic))[2] == f"sudo ./install -d /usr/local/ASR {on_linux}"


@pytest.mark.parametrize(("release", "word"), [("9.37", "MT"), ("9.41", "MasterTarget"), ("9.66", "MasterTarget")])
def test_a_master_target_has_its_own_word(release: str, word: str) -> None:
    assert f'/Role "{word}" ' in commands(windows(release, role=Role.MASTER_TARGET))[4]
    assert f"-r {word} " in commands(linux(release, role=Role.MASTER_TARGET))[2]


def test_there_is_no_master_target_in_the_modernized_experience() -> None:
    with pytest.raises(InputError) as caught:
        linux("9.66", classic=False, role=Role.MASTER_TARGET)

    assert caught.value.code == "no-such-role"


def test_an_azure_machine_has_its_own_platform() -> None:
    answer = guide(UBUNTU, Release(9, 37), file_name=TAR, classic=True, platform=Platform.AZURE)

    assert commands(answer)[2] == "sudo ./install -d /usr/local/ASR -r MS -v Azure -q"


def test_both_spellings_of_a_role_are_named() -> None:
    for release in ("9.37", "9.41", "9.66"):
        for meaning in (parameters(windows(release))["/Role"].meaning, parameters(linux(release))["-r"].meaning):
            assert all(word in meaning for word in ("MS", "MT", "Agent", "MasterTarget"))


def test_every_switch_of_the_commands_is_explained() -> None:
    for release in ("9.37", "9.66"):
        shown = [word for command in commands(windows(release)) for word in command.split() if word.startswith("/")]
        assert set(shown) - {"/q", r"/x:C:\Temp\Extracted", "/d"} == set(parameters(windows(release)))
        shown = [word for command in commands(linux(release)) for word in command.split() if word.startswith("-")]
        assert set(shown) - {"-xvf"} == set(parameters(linux(release)))


@pytest.mark.parametrize(
    ("flag", "required"),
    [
        ("/Role", True),
        ("/InstallLocation", False),
        ("/Platform", True),
        ("/Silent", False),
        ("/CSEndPoint", True),
        ("/PassphraseFilePath", True),
        ("/CSType", True),
    ],
)
def test_windows_parameters_say_whether_they_are_required(flag: str, required: bool) -> None:  # noqa: FBT001 - a row of the table
    assert parameters(windows("9.66"))[flag].required is required


@pytest.mark.parametrize(
    ("flag", "required"), [("-r", True), ("-d", False), ("-v", True), ("-q", False), ("-i", True), ("-P", True)]
)
def test_linux_parameters_say_whether_they_are_required(flag: str, required: bool) -> None:  # noqa: FBT001 - a row of the table
    assert parameters(linux("9.66"))[flag].required is required


def test_the_experience_switch_is_optional_where_it_is_the_default() -> None:
    assert not parameters(linux("9.66", classic=False))["-c"].required
    assert parameters(linux("9.50", classic=False))["-c"].required


def test_linux_registration_names_the_classic_experience_where_it_must() -> None:
    assert commands(linux("9.55", cs_ip="10.0.0.4"))[-1].endswith(
        "UnifiedAgentConfigurator.sh -i 10.0.0.4 -P <PassphraseFilePath> -c CSLegacy"
    )


def test_the_modernized_experience_ends_with_the_installation_and_says_why() -> None:
    for answer in (windows("9.66", classic=False), linux("9.66", classic=False)):
        assert not answer.registers
        assert "Configurator" not in " ".join(commands(answer))
        assert "belongs to the classic experience" in answer.notes[0]


def test_registration_follows_the_install_folder() -> None:
    assert commands(linux(install_dir="/opt/asr agent/"))[2:] == (
        "sudo ./install -d '/opt/asr agent' -r MS -v VmWare -q",
        "sudo '/opt/asr agent/Vx/bin/UnifiedAgentConfigurator.sh' -i <CSIP> -P <PassphraseFilePath>",
    )
    assert commands(windows(install_dir="E:\\ASR\\"))[4:6] == (
        r'UnifiedAgent.exe /Role "MS" /InstallLocation "E:\ASR" /Platform "VmWare" /Silent',
        r"cd /d E:\ASR\agent",
    )


def test_a_root_is_an_install_folder_too() -> None:
    assert commands(windows(install_dir="E:\\"))[4:6] == (
        r'UnifiedAgent.exe /Role "MS" /InstallLocation "E:\\" /Platform "VmWare" /Silent',
        r"cd /d E:\agent",
    )
    assert commands(linux(install_dir="/"))[3].startswith("sudo /Vx/bin/UnifiedAgentConfigurator.sh ")


def test_a_windows_path_is_quoted_when_cmd_would_read_something_into_it() -> None:
    for folder in (r"\\server\a share", r"\\server\a&b", r"\\server\a^b", r"\\server\a(b)", r"\\server\a,b"):
        path = rf"{folder}\passphrase.txt"
        assert commands(windows(passphrase_file=path))[-1].endswith(f' /PassphraseFilePath "{path}"')


@pytest.mark.parametrize("address", ["10.0.0.4", "2001:db8::4", "::ffff:10.0.0.4"])
def test_an_address_of_either_family_is_taken(address: str) -> None:
    assert f" -i {address} " in commands(linux(cs_ip=address))[-1]
    assert f"/CSEndPoint {address} " in commands(windows(cs_ip=address))[-1]


@pytest.mark.parametrize(
    "address",
    [
        "cs01.example.org",  # the documents ask for an address
        "10.0.0",
        "10.0.0.256",
        "10.0.0.4 ",
        "10.0.0.4/24",
        "10.0.0.4; rm -rf /",
        "fe80::1%eth0",  # a zone means nothing on another machine
        "",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(InputError) as caught:
        linux(cs_ip=address)

    assert caught.value.code == "not-an-ip-address"
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("passphrase.txt", "not-an-absolute-path"),
        ("C:passphrase.txt", "not-an-absolute-path"),  # relative to the drive's current folder
        (r"\passphrase.txt", "not-an-absolute-path"),  # relative to the drive
        ("/var/passphrase.txt", "not-an-absolute-path"),  # a Linux path
        (r"\\server\share", "not-an-absolute-path"),  # a share, not a file in it
        (r"C:\%TEMP%\passphrase.txt", "cannot-be-quoted"),  # cmd expands it even in quotes
        ('C:\\a"b.txt', "cannot-be-quoted"),
        ("C:\\a\nb.txt", "cannot-be-quoted"),
        ("C:\\a\u202eb.txt", "cannot-be-quoted"),  # turns the text around on the screen
        (r"C:\a\b.txt:stream", "cannot-be-quoted"),
        ("C:\\a/b.txt", "cannot-be-quoted"),  # reads as a switch
        (r"C:\a>b.txt", "cannot-be-quoted"),
    ],
)
def test_a_windows_passphrase_path_that_would_go_wrong_is_refused(path: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        windows(passphrase_file=path)

    assert caught.value.code == code
    assert caught.value.hint


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("passphrase.txt", "not-an-absolute-path"),
        ("~/passphrase.txt", "not-an-absolute-path"),  # quoted, the shell would not expand it
        (r"C:\Temp\passphrase.txt", "not-an-absolute-path"),
        ("", "not-an-absolute-path"),
        ("/a\nb", "cannot-be-quoted"),  # would be two lines on the screen
        ("/a\x00b", "cannot-be-quoted"),
    ],
)
def test_a_linux_passphrase_path_that_would_go_wrong_is_refused(path: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        linux(passphrase_file=path)

    assert caught.value.code == code


@pytest.mark.parametrize(
    ("install_dir", "code"),
    [
        ("ASR", "not-an-absolute-path"),
        (r"\\server\share\ASR", "not-an-absolute-path"),  # cmd cannot change into a share
        (r"C:\100%\ASR", "cannot-be-quoted"),
    ],
)
def test_a_windows_install_folder_that_would_go_wrong_is_refused(install_dir: str, code: str) -> None:
    with pytest.raises(InputError) as caught:
        windows(install_dir=install_dir)

    assert caught.value.code == code


def test_a_linux_install_folder_is_a_full_path() -> None:
    with pytest.raises(InputError) as caught:
        linux(install_dir="usr/local/ASR")

    assert caught.value.code == "not-an-absolute-path"


@pytest.mark.parametrize("name", ["", ".", "..", "../x.tar.gz", "a\\b.exe", "a/b", "-rf", "a\nb", 'a"b', "C:x", "%a%"])
def test_what_is_no_file_name_is_refused(name: str) -> None:
    for token in (WINDOWS, UBUNTU):
        with pytest.raises(InputError) as caught:
            guide(token, Release(9, 37), file_name=name, classic=True)
        assert caught.value.code == "not-a-file-name"
    with pytest.raises(InputError):
        placing(name, "C:\\repository")


@pytest.mark.parametrize(
    ("release", "said", "unsaid"),
    [
        ("9.22", "the agent is not installed", "with a warning"),
        ("9.23", "with a warning", "the agent is not installed"),
        ("9.29", "VSS", "SHA-2"),
        ("9.30", "SHA-2", "the agent is not installed"),
        ("9.6", "Install the Azure VM agent by hand", "brings the Azure VM agent with it"),
        ("9.7", "brings the Azure VM agent with it", "Install the Azure VM agent by hand"),
    ],
)
def test_windows_notes_fit_the_release(release: str, said: str, unsaid: str) -> None:
    notes = " ".join(windows(release).notes)

    assert said in notes
    assert unsaid not in notes


def test_windows_notes_name_the_antivirus_folder_and_linux_notes_the_linux_agent() -> None:
    assert r"C:\ProgramData\ASR\agent" in " ".join(windows().notes)
    assert "WALinuxAgent" in " ".join(linux().notes)
    assert not any("ProgramData" in note or "VSS" in note for note in linux().notes)
    for answer in (windows(), linux()):
        assert any("6 to 10 %" in note for note in answer.notes)


def test_log_places_are_given_only_where_they_are_documented() -> None:
    assert windows().logs == (
        r"%ProgramData%\ASRSetupLogs\ASRUnifiedAgentInstaller.log",
        r"%ProgramData%\ASRSetupLogs\ASRUnifiedAgentConfigurator.log",
    )
    assert linux().logs == ()


def test_the_guide_says_what_it_is_for() -> None:
    answer = linux("9.66")

    assert (answer.package, answer.release, answer.system) == (UBUNTU, Release(9, 66), Family.LINUX)
    assert (answer.file_name, answer.install_dir, answer.classic) == (TAR, "/usr/local/ASR", True)
    assert windows().system is Family.WINDOWS


def test_every_word_is_ascii() -> None:
    for release in ("9.6", "9.41", "9.66"):
        for classic in (True, False):
            assert repr(windows(release, classic=classic)).isascii()
            assert repr(linux(release, classic=classic)).isascii()


def test_placing_by_hand_is_five_sentences_in_order() -> None:
    folder = rf"{DEFAULT}\home\svsystems\pushinstallsvc\repository"

    chore = placing(TAR, folder)

    assert chore.sentences == (
        f"Download {TAR} from the Microsoft Download Center.",
        f"Copy it to {folder} on the configuration server.",
        "Restart the service InMage PushInstall on the configuration server.",
        "Copy it to the same folder on each scale-out process server.",
        "Restart the service InMage PushInstall on each of them.",
    )
    assert (chore.file_name, chore.folder) == (TAR, folder)


def test_placing_names_the_service_it_is_told() -> None:
    assert "service Appliance Push " in placing(TAR, "E:\\x", service="Appliance Push").sentences[2]


# What people type, what shells mind, and anything at all.
ODD = st.text(alphabet=st.sampled_from(" \\/'\"$`!&|;<>()^%*?~#=,:@ab.\t\n\u00e9\u00a0\u2028"), max_size=24)
TEXT = st.one_of(ODD, st.text(max_size=24))


@given(TEXT, TEXT)
@example("", "")
@example("o'clock", " $(reboot) ")
def test_sh_gives_back_the_linux_paths_exactly_or_they_are_refused(folder: str, file: str) -> None:
    folder, file = f"/{folder}", f"/{file}"
    try:
        answer = linux(install_dir=folder, passphrase_file=file)
    except InputError as error:
        assert error.code == "cannot-be-quoted"  # noqa: PT017 - either outcome is right
        assert not (folder + file).isprintable()
        return

    kept = folder.rstrip("/") or "/"
    assert shlex.split(answer.steps[1].commands[0]) == [
        "sudo",
        "./install",
        "-d",
        kept,
        "-r",
        "MS",
        "-v",
        "VmWare",
        "-q",
    ]
    below = f"{kept.rstrip('/')}/Vx/bin/UnifiedAgentConfigurator.sh"
    assert shlex.split(answer.steps[2].commands[0]) == ["sudo", below, "-i", "<CSIP>", "-P", file]


@given(TEXT, TEXT, st.sampled_from(["C:\\", "z:\\", "\\\\server\\share\\x"]))
@example("a b\\", "a&b\\\\", "C:\\")
def test_windows_gives_back_the_paths_exactly_or_they_are_refused(folder: str, file: str, start: str) -> None:
    folder, file = f"E:\\{folder}", f"{start}{file}"
    try:
        answer = windows(cs_ip="10.0.0.4", install_dir=folder, passphrase_file=file)
    except InputError as error:
        assert error.code == "cannot-be-quoted"  # noqa: PT017 - either outcome is right
        assert not (folder + file).isprintable() or set('"%<>|?*/:') & set(folder[2:] + file[2:])
        return

    kept = folder.rstrip("\\")
    kept = f"{kept}\\" if kept == "E:" else kept
    install = ["UnifiedAgent.exe", "/Role", "MS", "/InstallLocation", kept, "/Platform", "VmWare", "/Silent"]
    assert windows_argv(answer.steps[1].commands[0]) == install
    register = ["UnifiedAgentConfigurator.exe", "/CSEndPoint", "10.0.0.4", "/PassphraseFilePath", file]
    assert windows_argv(answer.steps[2].commands[1]) == register
    # cd is cmd's own: it takes the rest of the line and drops the quotes around it.
    change = answer.steps[2].commands[0].removeprefix("cd /d ")
    assert windows_argv(f"x {change}") == ["x", f"{kept.rstrip(chr(92))}\\agent"]


@given(TEXT)
@example("\\")
@example("a\\\\")
def test_a_quoted_argument_is_read_back_or_refused(text: str) -> None:
    try:
        quoted = quote_cmd(text)
    except InputError as error:
        assert error.code == "cannot-be-quoted"  # noqa: PT017 - either outcome is right
        assert not text.isprintable() or set('"%') & set(text)
        return

    assert windows_argv(f"x {quoted}") == ["x", text]


def windows_argv(line: str) -> list[str]:
    """Read a command line as cmd and then the C runtime do, by their documented rules.

    cmd: outside of double quotes these characters are its own, and a percent sign is everywhere.
    C runtime: blanks separate outside of quotes; 2n backslashes before a quote are n and the quote
    delimits, 2n+1 are n and the quote is literal; other backslashes are themselves.
    """
    quoted = False
    for character in line:
        quoted ^= character == '"'
        assert quoted or character not in "&|<>^(),;=\n", f"cmd would take {character!r} out of {line!r}"
    assert "%" not in line
    assert not quoted

    arguments: list[str] = []
    current, started, quoted, position = "", False, False, 0
    while position < len(line):
        character = line[position]
        if character == "\\":
            end = position + len(line[position:]) - len(line[position:].lstrip("\\"))
            count = end - position
            position = end
            if line[end : end + 1] == '"':
                current += "\\" * (count // 2)
                if count % 2:
                    current += '"'
                    position += 1
            else:
                current += "\\" * count
            started = True
            continue
        if character == '"':
            quoted, started = not quoted, True
        elif character in " \t" and not quoted:
            if started:
                arguments.append(current)
            current, started = "", False
        else:
            current, started = current + character, True
        position += 1
    return [*arguments, current] if started else arguments
