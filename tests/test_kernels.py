"""Kernels: taken apart, compared, and looked up in the list of an installer."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repo_manager.kernels import Supported, listed, parse
from repo_manager.names import Token

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
    "text", ["", "Linux", "5.15.0", "5.15.0-...", "generic-5.15.0-1", "5.15.0-100-", "10.0", "#1 SMP"]
)
def test_another_text_is_no_kernel(text: str) -> None:
    assert parse(text) is None


@given(st.text(max_size=60))
def test_any_text_has_an_answer(text: str) -> None:
    kernel = parse(text)
    assert kernel is None or parse(kernel.text) == kernel


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
