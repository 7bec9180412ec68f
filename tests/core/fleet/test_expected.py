"""fleet.yaml: what is taken, and what is refused with its place."""

from __future__ import annotations

import pytest

from repo_manager.core.errors import DocumentError
from repo_manager.core.fleet import ExpectedServer, FleetInventory, Host, ServerRole
from repo_manager.core.fleet.expected import parse

WHOLE = r"""
set: https://leader:8443
trust: 8b820ac077a213443734018bd9cfcf9f0d4642d5f8e11656667637302ad6650f
reports: D:\reports
silent_after: 24
servers:
  - name: CS-01
    role: configuration-server
    repository: \\cs-01\repository
  - name: ps-01.example.com
"""


def test_all_of_it_is_read() -> None:
    assert parse(WHOLE) == FleetInventory(
        servers=(
            ExpectedServer(Host("cs-01"), ServerRole.CONFIGURATION_SERVER, r"\\cs-01\repository"),
            ExpectedServer(Host("ps-01.example.com"), ServerRole.PROCESS_SERVER, None),
        ),
        followed="https://leader:8443",
        trust="8b820ac077a213443734018bd9cfcf9f0d4642d5f8e11656667637302ad6650f",
        reports=r"D:\reports",
        silent_after_h=24,
    )


def test_the_servers_alone_are_enough() -> None:
    assert parse("servers:\n  - name: a\n") == FleetInventory((ExpectedServer(Host("a"), ServerRole.PROCESS_SERVER),))


@pytest.mark.parametrize(
    ("text", "place", "words"),
    [
        ("", (1, 1), "empty"),
        ("set: a\n", (1, 1), "'servers' is missing"),
        ("servers: []\n", (1, 10), "from 1 to 20000 servers, found 0"),
        ("servers: ps-01\n", (1, 10), "expected a list"),
        ("servers:\n  - ps-01\n", (2, 5), "expected keys with values"),
        ("servers:\n  - role: process-server\n", (2, 5), "'name' is missing"),
        ("servers:\n  - name: a b\n", (2, 11), "is no server's name"),
        ("servers:\n  - name: ../a\n", (2, 11), "is no server's name"),
        ("servers:\n  - name: 10\n", (2, 11), "write it in quotes"),
        ("servers:\n  - name: a\n  - name: b\n  - name: A\n", (4, 11), "'a' on line 2 already"),
        ("servers:\n  - name: a\n    role: master\n", (3, 11), "not one of process-server, configuration-server"),
        ("servers:\n  - name: a\n    repositry: x\n", (3, 5), "did you mean 'repository'"),
        ("servers:\n  - name: a\n    repository:\n", (3, 16), "found nothing"),
        ("servers:\n  - name: a\nset: [a]\n", (3, 6), "set: expected text"),
        ("servers:\n  - name: a\ntrust: abc\n", (3, 1), "add the key 'set'"),
        ("servers:\n  - name: a\nsilent_after: 0\n", (3, 15), "from 1 to 1000"),
        ("servers:\n  - name: a\nservers:\n  - name: b\n", (3, 1), "already on line 1"),
        ("servers:\n  - &x\n    name: a\n", (2, 5), "anchor"),
    ],
)
def test_a_mistake_is_refused_with_its_place(text: str, place: tuple[int, int], words: str) -> None:
    with pytest.raises(DocumentError) as caught:
        parse(text, "my.yaml")
    assert caught.value.code == "invalid-fleet"
    assert "my.yaml" in caught.value.message
    assert [(p.line, p.column) for p in caught.value.problems if words in p.message] == [place], caught.value.message


def test_all_mistakes_are_said_at_once() -> None:
    with pytest.raises(DocumentError) as caught:
        parse("servers:\n  - name: a b\n  - name: c\n    role: x\nnonsense: 1\n")
    assert [problem.line for problem in caught.value.problems] == [2, 4, 5]
