"""From an operating system in anybody's words to one package, or an honest other answer."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from simulator import REAL, resolve

from repo_manager.core.systems import resolver as systems
from repo_manager.core.systems.resolver import MAX_LENGTH, Ambiguous, Answer, Resolved, Status, Unknown, Unsupported
from repo_manager.core.systems.vocabulary import CODENAMES, GUEST_IDS, GUEST_IDS_IN_FULL, NAMES, OTHERS, TERSE_NAMES

TOKENS = frozenset(REAL.support.order)
OS_NAMES = Path(__file__).parents[1] / "data" / "os-names.csv"

ORACLE_FILES = """\
Oracle Linux Server release 7.9
NAME="Oracle Linux Server"
VERSION="7.9"
ID="ol"
ID_LIKE="fedora"
VERSION_ID="7.9"
PRETTY_NAME="Oracle Linux Server 7.9"
CPE_NAME="cpe:/o:oracle:linux:7:9:server"
ORACLE_BUGZILLA_PRODUCT="Oracle Linux 7"
Red Hat Enterprise Linux Server release 7.9 (Maipo)
Oracle Linux Server release 7.9
"""
RED_HAT_8_10 = """\
NAME="Red Hat Enterprise Linux"
VERSION="8.10 (Ootpa)"
ID="rhel"
ID_LIKE="fedora"
VERSION_ID="8.10"
PLATFORM_ID="platform:el8"
PRETTY_NAME="Red Hat Enterprise Linux 8.10 (Ootpa)"
REDHAT_BUGZILLA_PRODUCT="Red Hat Enterprise Linux 8"
"""
ROCKY_9_5 = """\
NAME="Rocky Linux"
VERSION="9.5 (Blue Onyx)"
ID="rocky"
ID_LIKE="rhel centos fedora"
VERSION_ID="9.5"
PRETTY_NAME="Rocky Linux 9.5 (Blue Onyx)"
REDHAT_SUPPORT_PRODUCT="Rocky Linux"
"""
CENTOS_7 = """\
CentOS Linux release 7.9.2009 (Core)
Derived from Red Hat Enterprise Linux 7.9 (Source)
NAME="CentOS Linux"
VERSION="7 (Core)"
ID="centos"
ID_LIKE="rhel fedora"
VERSION_ID="7"
PRETTY_NAME="CentOS Linux 7 (Core)"
CENTOS_MANTISBT_PROJECT="CentOS-7"
REDHAT_SUPPORT_PRODUCT="centos"
"""
STREAM_9 = """\
NAME="CentOS Stream"
VERSION="9"
ID="centos"
VERSION_ID="9"
PRETTY_NAME="CentOS Stream 9"
REDHAT_SUPPORT_PRODUCT="Red Hat Enterprise Linux 9"
"""
SUSE_11_4 = "SUSE Linux Enterprise Server 11 (x86_64)\nVERSION = 11\nPATCHLEVEL = 4\n"
SUSE_12_5 = """\
SUSE Linux Enterprise Server 12 (x86_64)
VERSION = 12
PATCHLEVEL = 5
# This file is deprecated and will be removed in a future service pack or release.
# Please check /etc/os-release for details about this release.
NAME="SLES"
VERSION="12-SP5"
VERSION_ID="12.5"
PRETTY_NAME="SUSE Linux Enterprise Server 12 SP5"
ID="sles"
"""
SAP_15_4 = """\
NAME="SLES_SAP"
VERSION="15-SP4"
VERSION_ID="15.4"
PRETTY_NAME="SUSE Linux Enterprise Server 15 SP4"
ID="sles_sap"
ID_LIKE="suse"
"""
DEBIAN_9 = """\
PRETTY_NAME="Debian GNU/Linux 9 (stretch)"
NAME="Debian GNU/Linux"
VERSION_ID="9"
VERSION="9 (stretch)"
ID=debian
"""
UBUNTU_20 = """\
PRETTY_NAME="Ubuntu 20.04.6 LTS"
NAME="Ubuntu"
VERSION_ID="20.04"
VERSION="20.04.6 LTS (Focal Fossa)"
VERSION_CODENAME=focal
ID=ubuntu
ID_LIKE=debian
"""
UBUNTU_22_LSB = """\
DISTRIB_ID=Ubuntu
DISTRIB_RELEASE=22.04
DISTRIB_CODENAME=jammy
DISTRIB_DESCRIPTION="Ubuntu 22.04.4 LTS"
"""
MINT_21 = """\
DISTRIB_ID=LinuxMint
DISTRIB_RELEASE=21
DISTRIB_DESCRIPTION="Linux Mint 21 Vanessa"
NAME="Linux Mint"
ID=linuxmint
ID_LIKE="ubuntu debian"
UBUNTU_CODENAME=jammy
bookworm/sid
"""
HOSTNAMECTL = """\
   Static hostname: web01
  Operating System: CentOS Linux 7 (Core)
       CPE OS Name: cpe:/o:centos:centos:7
            Kernel: Linux 3.10.0-1160.el7.x86_64
      Architecture: x86-64
"""
SYSTEMINFO = """\
OS Name:                   Microsoft Windows Server 2019 Standard
OS Version:                10.0.17763 N/A Build 17763
System Type:               x64-based PC
Windows Directory:         C:\\WINDOWS
"""


def resolve_os_release(text: str) -> Answer:
    return systems.resolve_os_release(text, REAL.support)


def rows() -> list[pytest.ParameterSet]:
    with OS_NAMES.open(encoding="utf-8", newline="") as file:
        return [
            pytest.param(row["text"], row["package"], row["ambiguous"], id=f"{row['text'][:60]}: {row['reason']}")
            for row in csv.DictReader(file)
        ]


@pytest.mark.parametrize(("text", "package", "ambiguous"), rows())
def test_every_known_name_has_its_answer(text: str, package: str, ambiguous: str) -> None:
    expected = {
        (True, "no"): {Status.RESOLVED},
        (True, "yes"): {Status.AMBIGUOUS},
        (False, "no"): {Status.UNSUPPORTED},
        (False, "yes"): {Status.AMBIGUOUS, Status.UNKNOWN},
    }[bool(package), ambiguous]

    answer = resolve(text)

    assert answer.status in expected, answer.why
    assert set(filter(None, package.split("|"))) <= set(answer.candidates)
    assert answer.query == text
    assert answer.why.isascii()
    assert answer.why


@pytest.mark.parametrize(
    ("text", "package"),
    [
        pytest.param(ORACLE_FILES, "OL7-64", id="an Oracle machine has a redhat-release too"),
        pytest.param(RED_HAT_8_10, "RHEL8-64", id="the products of other keys do not count"),
        pytest.param(RED_HAT_8_10.replace("\n", "\r\n"), "RHEL8-64", id="a file copied through Windows"),
        pytest.param(ROCKY_9_5, "RHEL9-64", id="a support product is not the system"),
        pytest.param(CENTOS_7, "RHEL7-64", id="derived from Red Hat, of the same package"),
        pytest.param(SUSE_11_4, "SLES11-SP4-64", id="the patch level settles the service pack"),
        pytest.param("VERSION = 11\nPATCHLEVEL = 3\n", "SLES11-SP3-64", id="only SuSE-release has such lines"),
        pytest.param(SUSE_12_5, "SLES12-64", id="SuSE-release and os-release agree"),
        pytest.param(SAP_15_4, "SLES15-64", id="SLES for SAP"),
        pytest.param(SUSE_11_4.replace("Server", "Desktop"), "SLES11-SP4-64", id="a desktop of the same packs"),
        pytest.param(DEBIAN_9, "DEBIAN9-64", id="os-release never has the point release"),
        pytest.param(DEBIAN_9 + "9.13\n", "DEBIAN9-64", id="debian_version beside os-release"),
        pytest.param(UBUNTU_20 + "bullseye/sid\n", "UBUNTU-20.04-64", id="Ubuntu's debian_version is no Debian"),
        pytest.param(UBUNTU_22_LSB, "UBUNTU-22.04-64", id="lsb-release"),
        pytest.param("Distributor ID:\tUbuntu\nRelease:\t22.04\nDescription:\tUbuntu 22.04.4 LTS\n", "UBUNTU-22.04-64",
                     id="lsb_release -a"),
        pytest.param("ID=ol VERSION_ID=8.10", "OL8-64", id="two pairs in one line"),
        pytest.param(HOSTNAMECTL, "RHEL7-64", id="hostnamectl"),
        pytest.param(SYSTEMINFO, "Windows", id="systeminfo"),
        pytest.param("Oracle Linux Server release 7.9 Red Hat Enterprise Linux Server release 7.9 (Maipo)", "OL7-64",
                     id="two files in one cell"),
    ],
)  # fmt: skip
def test_a_whole_file_is_read_as_one_system(text: str, package: str) -> None:
    answer = resolve(text)

    assert isinstance(answer, Resolved), answer.why
    assert answer.package == package


@pytest.mark.parametrize(
    ("text", "status"),
    [
        pytest.param(STREAM_9, Status.UNSUPPORTED, id="Stream is told in one key of several"),
        pytest.param(MINT_21, Status.UNSUPPORTED, id="a derivative keeps files of Ubuntu and Debian"),
        pytest.param(DEBIAN_9 + "9.0\n", Status.UNSUPPORTED, id="the point release before the first"),
        pytest.param(UBUNTU_22_LSB + "aarch64\n", Status.UNSUPPORTED, id="uname -m beside the file"),
        pytest.param("CentOS 7\nRHEL 8\n", Status.AMBIGUOUS, id="a list of two systems"),
        pytest.param("Oracle Linux 7\nRHEL 8\n", Status.AMBIGUOUS, id="no Oracle machine says RHEL 8 beside 7"),
        pytest.param("DISTRIB_ID=Ubuntu\n", Status.AMBIGUOUS, id="no release in the file"),
        pytest.param('NAME="Foo"\nID=foo\nVERSION_ID=7\nID_LIKE="rhel"\n', Status.UNKNOWN, id="likeness is no proof"),
        pytest.param("# CentOS 7\n", Status.UNKNOWN, id="a comment says nothing"),
    ],
)
def test_a_whole_file_may_also_leave_it_open(text: str, status: Status) -> None:
    assert resolve(text).status is status


def test_an_os_release_file_is_resolved_as_such() -> None:
    assert resolve_os_release(ROCKY_9_5) == resolve(ROCKY_9_5)
    assert isinstance(resolve_os_release("Rocky Linux 9.5"), Unknown)
    assert isinstance(resolve_os_release("x" * (MAX_LENGTH + 1)), Unknown)


@pytest.mark.parametrize(
    ("text", "modernized_only"),
    [
        pytest.param("RHEL 8.8", False, id="the last RHEL 8 for both"),
        pytest.param("RHEL 8.9", True, id="the first RHEL 8 for the modernized alone"),
        pytest.param("RHEL 8", False, id="no point release is told"),
        pytest.param("RHEL 9", True, id="all of 9"),
        pytest.param("RHEL 10.0", True, id="all of 10"),
        pytest.param("Oracle Linux 8.8", False, id="Oracle 8.8"),
        pytest.param("Oracle Linux 8.9", True, id="Oracle 8.9"),
        pytest.param("Oracle Linux 9.0", True, id="Oracle 9"),
        pytest.param("Rocky Linux 8.4", True, id="all Rocky"),
        pytest.param("AlmaLinux 8.4", True, id="all AlmaLinux"),
        pytest.param("CentOS Linux 8", False, id="CentOS Linux 8 ended at 8.5"),
        pytest.param("SLES 15 SP4", False, id="the last SLES 15 for both"),
        pytest.param("SLES 15 SP5", True, id="the first SLES 15 for the modernized alone"),
        pytest.param("Ubuntu 20.04", False, id="the last Ubuntu for both"),
        pytest.param("Ubuntu 22.04", True, id="Ubuntu 22.04"),
        pytest.param("Debian 11", False, id="the last Debian for both"),
        pytest.param("Debian 12", True, id="Debian 12"),
        pytest.param("RHEL9-64", True, id="a token all of whose systems are"),
        pytest.param("RHEL8-64", False, id="a token some of whose systems are"),
        pytest.param("Rocky Linux 8 / CentOS Linux 8", False, id="one of the two is for both"),
        pytest.param("Windows Server 2025", False, id="Windows"),
    ],
)
def test_what_the_modernized_experience_alone_supports_is_marked(text: str, *, modernized_only: bool) -> None:
    answer = resolve(text)

    assert isinstance(answer, Resolved)
    assert answer.modernized_only is modernized_only


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("openSUSE Leap 15.5", "promised by no support matrix", id="Leap"),
        pytest.param("SLED 12 SP5", "promised by no support matrix", id="desktops"),
        pytest.param("SLED 11 SP4", "promised by no support matrix", id="desktops with their service pack"),
        pytest.param("RHEL 8", "8.9 on the modernized experience alone", id="RHEL 8 without point release"),
        pytest.param("SLES 15", "SP5 on the modernized experience alone", id="SLES 15 without service pack"),
        pytest.param("Debian 9", "/etc/debian_version", id="Debian 9 without point release"),
        pytest.param("Windows Server 2008 R2", "Service Pack 1", id="2008 R2"),
        pytest.param("Small Business Server 2011", "2008 R2", id="a server under another name"),
    ],
)
def test_a_note_tells_what_the_package_does_not(text: str, part: str) -> None:
    answer = resolve(text)

    assert isinstance(answer, Resolved)
    assert part in answer.note


@pytest.mark.parametrize("text", ["Debian 9.13", "RHEL 8.10", "RHEL 5.11", "RHEL 7"])
def test_there_is_no_note_where_nothing_is_left_to_say(text: str) -> None:
    answer = resolve(text)

    assert isinstance(answer, Resolved)
    assert not answer.note


@pytest.mark.parametrize(
    ("text", "part"),
    [
        pytest.param("CentOS 8", "/etc/redhat-release", id="Linux or Stream"),
        pytest.param("Oracle Linux 6", "/etc/oracle-release", id="no point release"),
        pytest.param("SLES 11", "/etc/SuSE-release", id="no service pack"),
        pytest.param("Ubuntu", "/etc/lsb-release", id="no release"),
        pytest.param("debian9_64Guest", "/etc/debian_version", id="no point release"),
        pytest.param("Windows Server", "winver", id="no release of Windows"),
        pytest.param("RHEL 6 (32/64 bit)", "uname -m", id="two widths"),
        pytest.param("8.10", "name", id="no name"),
    ],
)
def test_an_ambiguous_answer_says_what_would_settle_it(text: str, part: str) -> None:
    answer = resolve(text)

    assert isinstance(answer, Ambiguous)
    assert part in answer.why


def test_the_configured_type_of_debian_9_weighs_less_than_the_machines_own_words() -> None:
    assert isinstance(resolve("Debian GNU/Linux 9 (64-bit)"), Ambiguous)
    assert isinstance(resolve("Debian GNU/Linux 9 (stretch)"), Resolved)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("Windows Server 2019", True),
        ("RHEL7-64", True),
        ("Fedora 40", True),
        ("Other Linux (32-bit)", True),
        ("Other Linux (64-bit)", False),
        ("8.10", False),
        ("call the backup team", False),
        ("RHEL 7" + " " * MAX_LENGTH, False),
    ],
)
def test_a_text_names_a_system_whatever_package_serves_it(text: str, *, named: bool) -> None:
    assert systems.names_system(text) is named


def test_a_system_without_package_is_named_before_its_bits() -> None:
    answer = resolve("FreeBSD (32-bit)")

    assert isinstance(answer, Unsupported)
    assert "FreeBSD" in answer.why


@pytest.mark.parametrize(
    "text",
    [
        "red hat enterprise linux 7.9",
        "RED HAT ENTERPRISE LINUX 7.9",
        "  Red  Hat\u00a0Enterprise\tLinux   7.9  ",
        "Red Hat\u00ae Enterprise Linux\u2122 7.9",
        "Red Hat(R) Enterprise Linux(TM) 7.9",
        "\ufeffRed Hat Enterprise Linux 7.9",
        "Red\u200bHat Enterprise Linux 7.9",
        "Red Hat Enterprise Linux 7.9 ;;; ???",
        '"Red Hat Enterprise Linux 7.9"',
        "\uff32\uff28\uff25\uff2c 7.9",
    ],
)
def test_case_spaces_marks_and_junk_do_not_matter(text: str) -> None:
    assert resolve(text).package == "RHEL7-64"


@pytest.mark.parametrize("token", sorted(TOKENS))
def test_every_token_resolves_to_itself_in_any_case(token: str) -> None:
    for text in (token, token.lower(), token.upper(), f" {token} "):
        assert resolve(text).package == token


def test_every_answer_has_the_four_faces_of_its_status() -> None:
    resolved, ambiguous, unsupported, unknown = map(resolve, ("RHEL 7", "SLES 11", "Fedora 40", ""))

    assert (resolved.status, resolved.package, resolved.candidates) == (Status.RESOLVED, "RHEL7-64", ("RHEL7-64",))
    assert (ambiguous.status, ambiguous.package) == (Status.AMBIGUOUS, None)
    assert ambiguous.candidates == ("SLES11-SP3-64", "SLES11-SP4-64")
    assert (unsupported.status, unsupported.package, unsupported.candidates) == (Status.UNSUPPORTED, None, ())
    assert (unknown.status, unknown.package, unknown.candidates) == (Status.UNKNOWN, None, ())


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("a" * MAX_LENGTH, id="one word"),
        pytest.param("9" * MAX_LENGTH, id="one number"),
        pytest.param("1." * (MAX_LENGTH // 2), id="one version"),
        pytest.param("a='" * (MAX_LENGTH // 3), id="quotes that never close"),
        pytest.param("rhel/" * (MAX_LENGTH // 5), id="names that all borrow"),
        pytest.param("rhel 7" + "/7" * (MAX_LENGTH // 2 - 3), id="an endless list"),
        pytest.param("windows 1 to 99999 " * (MAX_LENGTH // 19), id="wide ranges"),
        pytest.param("sles 11 sp1" + ", sp1" * (MAX_LENGTH // 5 - 3), id="endless service packs"),
        pytest.param("a." * 38 + "guest", id="almost an id"),
        pytest.param("\ufdfa" * MAX_LENGTH, id="letters that grow when normalised"),
        pytest.param("x" * (MAX_LENGTH + 1), id="too long"),
        pytest.param("RHEL \u0667 \u00b2 \u2460", id="numbers of other scripts"),
        pytest.param("\ud800 RHEL 7 \udfff", id="lone surrogates"),
        pytest.param("\0\x1b[31m\u202eRHEL 7", id="control characters"),
    ],
)
def test_hostile_text_gets_an_answer_too(text: str) -> None:
    assert resolve(text).status in set(Status)


WORDS = sorted(
    {
        *(word for table in (NAMES, TERSE_NAMES, OTHERS) for names in table.values() for word in names),
        *(word for names in CODENAMES.values() for word in names),
        *GUEST_IDS, *GUEST_IDS_IN_FULL, *TOKENS,
        "7", "8.10", "9.x", "10", "11", "15", "22.04", "2008", "2012r2", "2k8", "99999999", "r2", "sp4", "u",
        "/", ",", "-", " - ", "to", "or", "or later", "+", "and older", "stream", "lts", "release", "(64-bit)",
        "(32-bit)", "x86", "x86_64", "aarch64", "Guest", "_64Guest", "=", "'", '"', "\n", "#", "id=", "version_id=",
        "patchlevel=", "version=", "bitness='64'", "prettyName='", "linux 5.4.0-1", "sid", "64", "32", "\u00a0", ".",
        "service pack", "server",
    }
)  # fmt: skip


def assert_honest(text: str) -> None:
    answer = resolve(text)
    assert answer.query == text
    assert set(answer.candidates) <= TOKENS
    assert (answer.package is not None) == isinstance(answer, Resolved)
    assert bool(answer.candidates) == isinstance(answer, Resolved | Ambiguous)
    assert answer.why


@given(st.text())
def test_any_text_gets_one_of_four_answers(text: str) -> None:
    assert_honest(text)
    assert resolve_os_release(text).status in set(Status)


@given(st.lists(st.sampled_from(WORDS), max_size=12), st.sampled_from(["", " "]))
def test_any_mix_of_the_vocabulary_gets_one_of_four_answers(words: list[str], glue: str) -> None:
    assert_honest(glue.join(words))


@given(st.sampled_from(["i686", "i386", "32-bit", "(32-bit)", "aarch64", "arm64", "ppc64le", "s390x"]), st.data())
def test_no_system_of_another_processor_is_ever_resolved(processor: str, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from([name for names in NAMES.values() for name in names]))
    version = data.draw(st.sampled_from(["7", "8.8", "9.4", "11 SP4", "15", "22.04", "2019"]))

    assert resolve(f"{name} {version} {processor}").status in {Status.UNSUPPORTED, Status.UNKNOWN}


@given(st.integers(0, 40), st.integers(0, 40))
def test_a_release_is_resolved_only_where_the_official_detection_has_it(major: int, minor: int) -> None:
    served = {5: range(2, 12), 6: range(11), 7: range(10), 8: range(11), 9: range(9), 10: range(1)}

    answer = resolve(f"Red Hat Enterprise Linux Server release {major}.{minor}")

    assert answer.package == (f"RHEL{major}-64" if minor in served.get(major, ()) else None)
