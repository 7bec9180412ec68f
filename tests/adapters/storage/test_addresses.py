"""Which address leads to which depot, and whose credentials go there."""

from __future__ import annotations

import base64
import sys
from typing import TYPE_CHECKING, Final

import pytest

from repo_manager.adapters.storage import Credentials, open_depot
from repo_manager.adapters.storage.credentials import keyring
from repo_manager.adapters.storage.http import HttpStorage
from repo_manager.adapters.storage.local import LocalStorage
from repo_manager.adapters.storage.object_store import ObjectStorage
from repo_manager.adapters.storage.object_store_settings import azure_settings, s3_settings
from repo_manager.core.address import ObjectStore
from repo_manager.core.address import parse as parse_address
from repo_manager.core.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

STORE: Final = ObjectStore("az", "sets", "asr", "az://sets/asr")
KEY: Final = base64.b64encode(b"hunter2").decode()
SAS: Final = "sp=r&se=2026-11-23T10:00:00Z&sv=2021-06-08&sr=c&sig=hunter2%3D"
ACCOUNT: Final = {"AZURE_STORAGE_ACCOUNT_NAME": "account", "AZURE_STORAGE_ACCOUNT_KEY": KEY}


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        pytest.param("sets/asr", LocalStorage, id="a folder"),
        pytest.param("C:\\sets\\asr", LocalStorage, id="a folder of Windows"),
        pytest.param("http://server:8080/asr/", HttpStorage, id="http"),
        pytest.param("HTTPS://server/asr", HttpStorage, id="https, in capitals"),
        pytest.param("az://sets/asr", ObjectStorage, id="Azure"),
        pytest.param("az://$web", ObjectStorage, id="a container of Azure's own"),
        pytest.param("s3://my.bucket/asr/9.66", ObjectStorage, id="S3"),
    ],
)
def test_the_address_says_which_engine_serves(address: str, kind: type) -> None:
    depot = open_depot(parse_address(address), keyring=Credentials(ACCOUNT))
    assert isinstance(depot, kind)
    assert depot.name.lower().replace("\\", "/") == address.lower().replace("\\", "/").rstrip("/")
    depot.close()


@pytest.mark.parametrize(
    ("address", "code"),
    [
        pytest.param("", "unknown-source", id="nothing"),
        pytest.param("ftp://server/asr", "unknown-source", id="another scheme"),
        pytest.param("file:///srv/asr", "unknown-source", id="a folder is written as a folder"),
        pytest.param("https://", "unknown-source", id="no server"),
        pytest.param("http://127.0.0.1:99999/asr", "bad-address", id="no port that can be"),
        pytest.param("http://127.0.0.1:abc", "bad-address", id="no port at all"),
        pytest.param("http://ex ample/", "bad-address", id="no name for a server"),
        pytest.param("http://[::1/", "bad-address", id="half an address"),
        pytest.param("az:/sets/asr", "unknown-source", id="half a scheme"),
        pytest.param("S3:bucket", "unknown-source", id="less of a scheme"),
        pytest.param("https:/server/asr", "unknown-source", id="a stroke too few"),
        pytest.param("az://", "unknown-source", id="no container"),
        pytest.param("az://Sets/asr", "unknown-source", id="no name for a container"),
        pytest.param("az://sets/../other", "unknown-source", id="out of the container"),
        pytest.param("s3://bucket/a//b", "unknown-source", id="a path with a hole"),
        pytest.param("https://me:hunter2@server/asr", "secret-in-source", id="a password"),
        pytest.param(f"https://account.blob.core.windows.net/sets?{SAS}", "secret-in-source", id="a signature"),
        pytest.param("az://sets/asr?sig=hunter2", "secret-in-source", id="a signature for Azure"),
        pytest.param("s3://key:hunter2@bucket/asr", "secret-in-source", id="a key for S3"),
    ],
)
def test_an_address_that_leads_nowhere_or_tells_a_secret_is_refused(address: str, code: str) -> None:
    with pytest.raises(InputError) as failure:
        open_depot(parse_address(address), keyring=Credentials(ACCOUNT))
    assert (failure.value.code, failure.value.exit_code) == (code, 2)
    assert failure.value.hint
    assert "hunter2" not in failure.value.message + failure.value.hint


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        pytest.param(
            {"AZURE_STORAGE_CONNECTION_STRING": f"DefaultEndpointsProtocol=https;AccountName=acc;AccountKey={KEY};"},
            {"account_name": "acc", "account_key": KEY, "credential_type": "access_key"},
            id="as the portal shows it",
        ),
        pytest.param(
            {
                "AZURE_STORAGE_CONNECTION_STRING": f"AccountName=acc;AccountKey={KEY};"
                "EndpointSuffix=core.chinacloudapi.cn"
            },
            {
                "account_name": "acc",
                "account_key": KEY,
                "credential_type": "access_key",
                "endpoint": "https://acc.blob.core.chinacloudapi.cn",
            },
            id="of another cloud",
        ),
        pytest.param(
            {
                "AZURE_STORAGE_CONNECTION_STRING": f"BlobEndpoint=https://acc.blob.core.windows.net/;"
                f"SharedAccessSignature={SAS}"
            },
            {
                "account_name": "acc",
                "sas_key": SAS,
                "credential_type": "sas_token",
                "endpoint": "https://acc.blob.core.windows.net",
            },
            id="with a signature, and no name of the account",
        ),
        pytest.param(
            {"AZURE_STORAGE_ACCOUNT": "acc", "AZURE_STORAGE_SAS_TOKEN": f"?{SAS}", "AZURE_STORAGE_KEY": KEY},
            {"account_name": "acc", "sas_key": SAS, "credential_type": "sas_token"},
            id="a signature counts more than a key: it allows less",
        ),
        pytest.param(
            {"AZURE_STORAGE_ACCOUNT_NAME": "acc", "AZURE_CLIENT_ID": "me"},
            {"account_name": "acc", "client_id": "me"},
            id="a managed identity of several",
        ),
    ],
)
def test_azure_is_told_who_is_there(values: dict[str, str], expected: dict[str, str]) -> None:
    settings = azure_settings(STORE, Credentials(values))
    assert dict(settings.values) == expected
    assert "hunter2" not in repr(settings)
    assert KEY not in repr(settings) + repr(Credentials(values))


def test_the_end_of_a_signature_is_known() -> None:
    values = {"AZURE_STORAGE_ACCOUNT_NAME": "acc", "AZURE_STORAGE_SAS_TOKEN": SAS}
    assert azure_settings(STORE, Credentials(values)).expires == 1795428000.0


def test_s3_is_told_who_is_there() -> None:
    values = {
        "AWS_ACCESS_KEY_ID": "id",
        "AWS_SECRET_ACCESS_KEY": "hunter2",
        "AWS_DEFAULT_REGION": "eu-west-1",
        "AWS_REGION": "eu-central-1",
        "AWS_ENDPOINT_URL": "http://minio:9000",
    }
    settings = s3_settings(ObjectStore("s3", "bucket", "asr", "s3://bucket/asr"), Credentials(values))
    assert dict(settings.values) == {
        "access_key_id": "id",
        "secret_access_key": "hunter2",
        "region": "eu-central-1",
        "endpoint": "http://minio:9000",
        "disable_bulk_delete": "true",
    }
    assert settings.plain_http


@pytest.mark.parametrize(
    ("address", "values"),
    [
        pytest.param("az://sets", {}, id="no account"),
        pytest.param("az://sets", {"AZURE_STORAGE_ACCOUNT_NAME": "acc/../hunter2"}, id="no name of an account"),
        pytest.param("az://sets", {"AZURE_STORAGE_CONNECTION_STRING": "hunter2"}, id="no connection string"),
        pytest.param("az://sets", ACCOUNT | {"AZURE_STORAGE_ACCOUNT_KEY": "hunter2!"}, id="half a key"),
        pytest.param("az://sets", ACCOUNT | {"AZURE_STORAGE_SAS_TOKEN": "hunter2"}, id="half a signature"),
        pytest.param("az://sets", ACCOUNT | {"AZURE_STORAGE_SAS_TOKEN": "sig=hunter2&%%"}, id="a broken signature"),
        pytest.param("az://sets", ACCOUNT | {"AZURE_STORAGE_ENDPOINT": "ftp://x/?hunter2"}, id="no endpoint"),
        pytest.param("s3://sets", {"AWS_SECRET_ACCESS_KEY": "hunter2"}, id="a secret without a name"),
        pytest.param("s3://sets", {"AWS_SKIP_SIGNATURE": "hunter2"}, id="a word where yes or no should be"),
        pytest.param("https://server/x", {"REPO_MANAGER_DEPOT_TOKEN": "hunter2\r\nX: y"}, id="a token with a line end"),
    ],
)
def test_settings_that_make_no_sense_are_refused_without_a_word_of_them(address: str, values: dict[str, str]) -> None:
    with pytest.raises(InputError) as failure:
        open_depot(parse_address(address), keyring=Credentials(values))
    assert failure.value.code == "bad-store-settings"
    assert failure.value.hint
    assert "hunter2" not in failure.value.message + failure.value.hint
    assert failure.value.__cause__ is None


def test_variables_count_more_than_the_file(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text(
        "\ufeff# who we are\n\nAWS_ACCESS_KEY_ID = file \nAWS_SECRET_ACCESS_KEY=a=b==\nAWS_REGION=here\n",
        encoding="utf-8",
    )
    file.chmod(0o600)

    ring = keyring({"AWS_REGION": "there", "aws_session_token": "t", "HOME": "/root", "AWS_ACCESS_KEY_ID": ""}, file)

    assert ring.first("AWS_REGION") == "there"
    assert ring.first("AWS_SESSION_TOKEN") == "t"
    assert ring.first("NOTHING", "AWS_ACCESS_KEY_ID") == "file"
    assert ring.first("AWS_SECRET_ACCESS_KEY") == "a=b=="
    assert ring.first("HOME") is None
    assert repr(ring) == "Credentials()"


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"PASSWORD=hunter2", id="another name"),
        pytest.param(b"hunter2", id="no name"),
        pytest.param(b"AWS_REGION=hunter2\nAWS_REGION=hunter2", id="twice"),
        pytest.param(b"AWS_REGION=\xff\xfehunter2", id="no text"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_without_a_word_of_it(tmp_path: Path, text: bytes) -> None:
    file = tmp_path / "credentials"
    file.write_bytes(text)
    file.chmod(0o600)

    with pytest.raises(InputError) as failure:
        keyring({}, file)

    assert failure.value.code == "store-credentials"
    assert str(file) in failure.value.message
    assert "hunter2" not in failure.value.message + failure.value.hint


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError) as failure:
        keyring({}, tmp_path / "nothing")
    assert str(tmp_path / "nothing") in failure.value.message


@pytest.mark.skipif(sys.platform == "win32", reason="rights are not in the mode there")
def test_a_file_that_everybody_may_read_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "credentials"
    file.write_text("AWS_REGION=here\n", encoding="ascii")
    file.chmod(0o644)

    with pytest.raises(InputError) as failure:
        keyring({}, file)

    assert failure.value.code == "store-credentials"
    assert "chmod 600" in failure.value.hint
