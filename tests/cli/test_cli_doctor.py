"""`doctor` fails where `sync` would fail."""

from __future__ import annotations

import os
import re
import shutil
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from cli_world import SUBFOLDER, InstantService, unprivileged

from repo_manager.core.service import ServiceState

if TYPE_CHECKING:
    from pathlib import Path

    from cli_world import Answer, Cli


def _unhealthy(answer: Answer) -> dict[str, tuple[str, str]]:
    """The checks that failed: message and hint, by name."""
    checks = answer.document["checks"]
    return {check["check"]: (check["message"], check["hint"]) for check in checks if check["health"] == "error"}


def _pem(folder: Path, name: str, until: datetime) -> str:
    """A certificate of an authority, valid until then."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    called = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    made = (
        x509.CertificateBuilder()
        .subject_name(called)
        .issuer_name(called)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(until - timedelta(days=10))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / name).write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return name


@pytest.mark.parametrize(
    ("text", "check", "words"),
    [
        pytest.param("reserve_mb: 1000000", "disk", "kept in reserve", id="no room beside the reserve"),
        pytest.param("ca_file: absent.pem", "tls", "absent.pem: the certificates cannot be read", id="no such file"),
        pytest.param("ca_file: empty.pem", "tls", "empty.pem: the certificates cannot be read", id="an empty file"),
        pytest.param("ca_file: words.pem", "tls", "words.pem: the certificates cannot be read", id="no PEM file"),
        pytest.param(
            "ca_file: old.pem", "tls", "every certificate in it expired, the last one on 2001-02-03", id="old"
        ),
        pytest.param("proxy: 'ftp://proxy:21'", "proxy", "the proxy's address cannot be used", id="another scheme"),
        pytest.param("proxy: 'http://'", "proxy", "the proxy's address cannot be used", id="no host"),
    ],
)
def test_doctor_fails_where_a_sync_would_fail(tool: Cli, text: str, check: str, words: str) -> None:
    if check == "disk" and shutil.disk_usage(tool.folder).free >= 1_000_000 * 1000**2:
        pytest.skip("this volume has more room than any reserve")
    tool.fill()
    (tool.folder / "empty.pem").write_bytes(b"")
    (tool.folder / "words.pem").write_bytes(b"not a certificate\n")
    _pem(tool.folder, "old.pem", datetime(2001, 2, 3, tzinfo=UTC))
    config = tool.config(text)

    answer = tool.repo_json("--config", config, "doctor")

    assert answer.code == 1
    (failed,) = _unhealthy(answer).items()
    assert failed[0] == check
    assert words in failed[1][0]
    assert failed[1][1], "and says what to do"
    assert re.search(rf"^error +{check} ", tool.repo("--config", config, "doctor").out, re.MULTILINE)


def test_doctor_is_content_with_certificates_that_are_in_force(tool: Cli) -> None:
    tool.fill()
    config = tool.config(f"ca_file: {_pem(tool.folder, 'new.pem', datetime.now(UTC) + timedelta(days=5))}")
    assert tool.repo_json("--config", config, "doctor").code == 0


def test_doctor_fails_where_the_service_may_not_be_restarted(tool: Cli) -> None:
    tool.fill()
    tool.service = InstantService(refuses="service-access-denied")
    answer = tool.repo_json("doctor")
    assert answer.code == 1
    assert "may not be restarted" in _unhealthy(answer)["service"][0]
    tool.service.now = ServiceState.STOPPED
    assert tool.repo_json("doctor").code == 0, "a stopped service is left alone"


def test_doctor_fails_where_a_file_is_in_the_place_of_the_sub_folder(tool: Cli) -> None:
    tool.fill()
    (tool.repository / SUBFOLDER).write_bytes(b"in the way")
    answer = tool.repo_json("doctor")
    assert answer.code == 1
    assert SUBFOLDER in _unhealthy(answer)["rights"][0]


@pytest.mark.skipif(sys.platform == "win32", reason="rights are another matter there")
@pytest.mark.parametrize("place", ["", SUBFOLDER, f"{SUBFOLDER}/staging", f"{SUBFOLDER}/lock"])
def test_doctor_fails_where_a_change_may_not_write(open_tool: Cli, place: str) -> None:
    tool = open_tool
    tool.fill()
    tool.put("RHEL7-64.tar.gz.part")
    assert tool.repo("prune", "--yes").code == 0
    tool.folder.chmod(0o755)
    if os.geteuid() == 0:
        for path in (tool.repository, *tool.repository.rglob("*")):
            os.chown(path, 65534, 65534)
    (tool.repository / place).chmod(0o555 if (tool.repository / place).is_dir() else 0o444)
    # Loads what is read as somebody else afterwards.
    tool.repo_json("doctor")

    answer = unprivileged(tool, "--json", "--repository", "repo", "doctor")

    assert "rights" in _unhealthy(answer), answer.out
    assert "this user may not write to" in _unhealthy(answer)["rights"][0]
    (tool.repository / place).chmod(0o755)
