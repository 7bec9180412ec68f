"""The page on what the server answers says what it answers."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Final

import pytest
from prometheus_client.parser import text_string_to_metric_families
from web_world import make_tokens, serving, write_set

from repo_manager.adapters.status_reports.folder import SERVERS_MOST
from repo_manager.core import fleet
from repo_manager.web.app import BODY_S
from repo_manager.web.connection_limits import ConnectionLimits
from repo_manager.web.limits import Rate
from repo_manager.web.tokens import BearerRole
from repo_manager.web.uvicorn_server import HEAD_BYTES

PAGE: Final = Path(__file__).parents[2] / "docs" / "reference" / "http.md"
TEXT: Final = PAGE.read_text(encoding="utf-8")


def test_the_report_that_is_shown_is_one() -> None:
    shown = next(block for block in re.findall(r"```text\n(.*?)```", TEXT, re.DOTALL) if "report/1" in block)
    value = json.loads(shown.replace("SHA-256 of root metadata, hex", "ab" * 32))
    assert fleet.document(fleet.parse(json.dumps(value).encode())) == value


@pytest.mark.parametrize("condition", list(fleet.Condition))
def test_every_condition_is_explained(condition: fleet.Condition) -> None:
    assert f"| `{condition}` |" in TEXT


def test_every_metric_is_explained_and_no_other(tmp_path: Path) -> None:
    write_set(tmp_path / "set")
    secrets = make_tokens(tmp_path / "t.json", fleet.moment("2026-01-01T00:00:00Z"), ("a", BearerRole.READ, ()))
    with serving(tmp_path / "set", tokens_file=tmp_path / "t.json", reports=tmp_path / "reports") as running:
        running.site.metrics.refused("rate")
        running.get("/healthz")
        text = running.get("/metrics", secrets["a"]).text
    names = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    assert set(re.findall(r"`(repo_manager_[a-z_]+)`", TEXT)) == names


def test_the_limits_are_those_of_the_code() -> None:
    defaults = {field.name: field.default for field in (*fields(ConnectionLimits), *fields(Rate))}
    assert f"{defaults['per_s']:g} a second, {defaults['burst']:g} at once" in TEXT
    assert f"| {HEAD_BYTES // 1024} KiB, {defaults['head_s']:g} s |" in TEXT
    assert f"| {fleet.LIMIT_BYTES // 1024} KiB, {BODY_S:g} s |" in TEXT
    assert f"| a client that takes nothing | {defaults['stall_s']:g} s |" in TEXT
    assert f"| a connection without a request | {defaults['idle_s']} s |" in TEXT
    assert f"{SERVERS_MOST:,}" in TEXT


@pytest.mark.parametrize("schema", ["serve", "serve-token", "serve-tokens", "tokens", "report", "received", "reports"])
def test_every_schema_of_the_server_is_named(schema: str) -> None:
    assert f"repo-manager/{schema}/1" in TEXT
