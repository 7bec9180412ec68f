"""Kernels: taken apart, compared, and looked up in the list of an installer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.core.kernels import Supported, listed, parse, told
from repo_manager.core.names import Token

UBUNTU = ("5.4.0-9-generic", "5.4.0-26-generic", "5.4.0-100-generic", "5.15.0-25-generic", "5.4.0-1010-azure")


@pytest.mark.parametrize(
    ("text", "order", "flavour"),
    [
        ("5.15.0-100-generic", ((5, 15, 0), (100,)), "generic"),
        ("4.12.14-5.13-azure:0", ((4, 12, 14), (5, 13)), "azure"),
        ("5.14.21-150400.24.46-default:4", ((5, 14, 21), (150400, 24, 46)), "default"),
        ("6.1.0-13-cloud-amd64", ((6, 1, 0), (13,)), "cloud-amd64"),
        ("4.19.0-0.bpo.19-amd64", ((4, 19, 0), (0, 19)), "amd64"),
        ("5.10.0-0.deb10.16-amd64", ((5, 10, 0), (0, 10, 16)), "amd64"),
        ("3.16.0-4-586", ((3, 16, 0), (4, 586)), ""),
        ("  3.13.0-24-generic \r", ((3, 13, 0), (24,)), "generic"),
        ("5.15.0-100-Generic", ((5, 15, 0), (100,)), "generic"),
    ],
)
def test_a_kernel_has_numbers_and_a_flavour(
    text: str, order: tuple[tuple[int, ...], tuple[int, ...]], flavour: str
) -> None:
    kernel = parse(text)
    assert kernel is not None
    assert (kernel.order, kernel.flavour) == (order, flavour)
    assert parse(str(kernel)) == kernel


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("5.15.0-100-generic.x86_64", "5.15.0-100-generic"),
        ("5.15.0-100-GENERIC.X86_64", "5.15.0-100-generic"),
        ("5.4.0-42-generic_aarch64", "5.4.0-42-generic"),
        ("5.15.0-9999-generic #1 SMP", "5.15.0-9999-generic"),
        ("5.4.0-42-generic #46~18.04.1-Ubuntu SMP", "5.4.0-42-generic"),
        ("vmlinuz-5.15.0-9999-generic", "5.15.0-9999-generic"),
        ("/boot/vmlinuz-5.15.0-9999-generic", "5.15.0-9999-generic"),
        ("/boot/initrd.img-5.15.0-9-generic", "5.15.0-9-generic"),
        ("linux-image-5.10.0-28-amd64", "5.10.0-28-amd64"),
        (
            "Linux u7 5.4.0-42-generic #46-Ubuntu SMP Fri Jul 10 00:24:02 UTC 2020 x86_64 x86_64 x86_64 GNU/Linux",
            "5.4.0-42-generic",
        ),
        (
            "Linux deb 5.10.0-28-amd64 #1 SMP Debian 5.10.209-2 (2024-01-31) x86_64 GNU/Linux",
            "5.10.0-28-amd64",
        ),
        ("Linux version 5.15.0-100-generic (buildd@lcy02) (gcc 11.4.0) #110-Ubuntu", "5.15.0-100-generic"),
    ],
)
def test_a_kernel_is_found_in_what_lists_have_around_it(text: str, expected: str) -> None:
    kernel = parse(text)
    assert kernel is not None
    assert kernel.text == expected
    assert told(text, "") == (expected, "")


UBUNTUS = "Ubuntu 20.04.6 LTS"
NO_FLAVOUR = "has no flavour such as generic, so nobody can say whether an installer supports this kernel"
NO_KERNEL = "is no kernel as uname -r prints it; the machine is judged without one"
BY_HAND = "is a kernel that was built by hand or is cut off, which cannot be compared with any list"


@pytest.mark.parametrize(
    ("cell", "system", "kernel", "remark"),
    [
        ("garbage", UBUNTUS, None, NO_KERNEL),
        ("Linux", "SLES 12 SP5", None, NO_KERNEL),
        ("5.15.0-100", "Debian GNU/Linux 11", "5.15.0-100", NO_FLAVOUR),
        ("5.15.0", UBUNTUS, "5.15.0", NO_FLAVOUR),
        ("4.12.14-5.13", "SUSE Linux Enterprise 12", "4.12.14-5.13", NO_FLAVOUR),
        ("5.15.0-100-", UBUNTUS, "5.15.0-100-", NO_FLAVOUR),
        ("5.15.167.4-microsoft-standard-WSL2", UBUNTUS, "5.15.167.4-microsoft-standard-WSL2", BY_HAND),
        ("N/A", UBUNTUS, None, ""),
        (" - ", UBUNTUS, None, ""),
        ("garbage", "Windows Server 2019", None, ""),
        ("10.0.17763", "Windows Server 2019", "10.0.17763", ""),
        ("5.14.0-362.8.1.el9_3.x86_64", "RHEL 9.3", "5.14.0-362.8.1.el9_3.x86_64", ""),
        ("Linux r 4.18.0-553.el8_10.x86_64 #1 SMP", "RHEL 8.10", "4.18.0-553.el8_10.x86_64", ""),
        ("garbage", "", None, ""),
    ],
)
def test_what_cannot_be_compared_is_told_where_it_would_be(
    cell: str, system: str, kernel: str | None, remark: str
) -> None:
    assert told(cell, system) == (kernel, remark)


@pytest.mark.parametrize(
    "text",
    [
        "", "Linux", "5.15.0", "5.15.0-...", "generic-5.15.0-1", "5.15.0-100-", "10.0", "#1 SMP", "5.15.0-100",
        "4.12.14-5.13", "3.10.0-1160.el7.x86_64", "5.14.0-362.8.1.el9_3.x86_64",
    ],
)  # fmt: skip
def test_another_text_is_no_kernel(text: str) -> None:
    assert parse(text) is None


@given(st.text(max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    kernel = parse(text)
    assert kernel is None or parse(kernel.text) == kernel
    assert kernel is None or told(text, UBUNTUS) == (kernel.text, "")


@pytest.mark.parametrize(
    ("text", "closest", "reason"),
    [
        ("5.4.0-42-generic", "5.4.0-26-generic", "the newest that is not newer; numbers are numbers"),
        ("5.4.0-99-generic", "5.4.0-26-generic", "100 comes after 99"),
        ("5.19.0-1-generic", "5.15.0-25-generic", "newer than all"),
        ("4.4.0-1-generic", "5.4.0-9-generic", "older than all: the oldest"),
        ("5.4.0-1011-azure", "5.4.0-1010-azure", "of its own flavour"),
        ("5.4.0-26-lowlatency", None, "no kernel of that flavour is supported"),
    ],
)
def test_the_closest_supported_kernel_is_of_the_same_flavour(text: str, closest: str | None, reason: str) -> None:
    kernel = parse(text)
    assert kernel is not None
    assert kernel not in Supported(UBUNTU), reason
    found = Supported(UBUNTU).closest(kernel)
    assert (found and found.text) == closest, reason


def test_a_listed_kernel_is_supported_whatever_its_patch_level() -> None:
    supported = Supported(("4.12.14-5.13-azure:0", "4.12.14-5.13-azure:1"))
    kernel = parse("4.12.14-5.13-azure")
    assert kernel is not None
    assert kernel in supported
    assert supported.closest(kernel) == kernel


@pytest.mark.parametrize("lines", [(), ("",), ("all of them",)])
def test_a_list_without_kernels_says_nothing(lines: tuple[str, ...]) -> None:
    assert not Supported(lines)
    assert Supported(UBUNTU)


@pytest.mark.parametrize("package", ["UBUNTU-22.04-64", "DEBIAN12-64", "SLES15-64", "SLES11-SP4-64"])
def test_ubuntu_debian_and_suse_list_kernels(package: str) -> None:
    assert listed(Token(package))


@pytest.mark.parametrize("package", ["RHEL9-64", "OL8-64", "Windows"])
def test_the_others_do_not(package: str) -> None:
    assert not listed(Token(package))
