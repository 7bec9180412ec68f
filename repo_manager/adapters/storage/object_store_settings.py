"""Where an object store is and who to be there, from an address and the usual variables."""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl

from repo_manager.adapters.storage.contract import checked_prefix
from repo_manager.core.errors import InputError, VerificationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from repo_manager.adapters.storage.credentials import Credentials
    from repo_manager.core.address import ObjectStore

# Evidence: "Naming and referencing containers, blobs, and metadata" on Microsoft Learn ($root and $web are
# containers of their own); buckets follow the same rules, with dots.
_CONTAINER: Final = re.compile(r"\$root|\$web|[a-z0-9](?:[a-z0-9.-]{1,61})[a-z0-9]", re.ASCII)
_ACCOUNT: Final = re.compile(r"[a-z0-9]{1,63}", re.ASCII)
_HINT: Final = "check the store's variables, and the file that store_credentials names"

CONNECTION_VARIABLE: Final = "AZURE_STORAGE_CONNECTION_STRING"


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """What the library is told. Its `repr` shows no value.

    Attributes:
        values: by the library's own names.
        plain_http: whether the endpoint was written as http://.
        expires: when a shared access signature ends, in seconds since 1970; None where there is none.
    """

    scheme: str
    container: str
    prefix: str
    values: Mapping[str, str] = field(repr=False)
    plain_http: bool = False
    expires: float | None = None

    @property
    def sends_secret(self) -> bool:
        """Whether a signature or a bearer token goes to an endpoint over http. A key only signs, and is not sent."""
        anonymous = self.values.get("skip_signature", "").lower() in {"1", "true"}
        return self.scheme == "az" and self.plain_http and not anonymous and "account_key" not in self.values


def check_names(address: ObjectStore) -> None:
    """Refuse names that no container, bucket or folder of a set can have.

    Raises:
        InputError: `unknown-source`.
    """
    if not _CONTAINER.fullmatch(address.container):
        raise _unknown(address, "no container or bucket can have this name")
    try:
        checked_prefix(address.prefix)
    except VerificationError:
        raise _unknown(address, "a path there has letters, digits and . _ + ~ - between single slashes") from None


def azure_settings(place: ObjectStore, keyring: Credentials) -> StoreSettings:
    """From a connection string, or else from single variables, as the Azure CLI and the library name them.

    Without a key or a signature it is left to the library: a service principal, a workload identity or the
    machine's managed identity.

    Raises:
        InputError: `bad-store-settings`, never with a value.
    """
    text = keyring.first(CONNECTION_VARIABLE)
    named = _from_connection_string(text) if text else _from_variables(keyring)
    account, endpoint = named.get("account", ""), named.get("endpoint", "").rstrip("/")
    if not _ACCOUNT.fullmatch(account):
        raise _bad(place, "the name of the storage account is missing", "set AZURE_STORAGE_ACCOUNT_NAME")
    values = {"account_name": account}
    if endpoint:
        values["endpoint"] = _endpoint(place, endpoint)
    expires = None
    if sas := named.get("sas", "").lstrip("?"):
        values |= {"sas_key": sas, "credential_type": "sas_token"}
        expires = _expires(place, sas)
    elif key := named.get("key", ""):
        values |= {"account_key": _key(place, key), "credential_type": "access_key"}
    else:
        values |= {ours: value for name, ours in _AZURE_OTHERS.items() if (value := keyring.first(name))}
    return StoreSettings("az", place.container, place.prefix, values, endpoint.startswith("http://"), expires)


def s3_settings(place: ObjectStore, keyring: Credentials) -> StoreSettings:
    """From the variables that the AWS tools know. Without a key it is left to the library: the machine's role.

    Raises:
        InputError: `bad-store-settings`, never with a value.
    """
    values = {"region": "us-east-1", "disable_bulk_delete": "true"}
    for name, ours in _S3.items():
        if value := keyring.first(name):
            values[ours] = value
    if ("access_key_id" in values) != ("secret_access_key" in values):
        raise _bad(place, "one of AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY is missing", "set both")
    endpoint = values.get("endpoint", "")
    if endpoint:
        _endpoint(place, endpoint)
    return StoreSettings("s3", place.container, place.prefix, values, endpoint.startswith("http://"))


# Later ones count more.
_S3: Final = {
    "AWS_ACCESS_KEY_ID": "access_key_id",
    "AWS_SECRET_ACCESS_KEY": "secret_access_key",
    "AWS_SESSION_TOKEN": "session_token",
    "AWS_DEFAULT_REGION": "region",
    "AWS_REGION": "region",
    "AWS_ENDPOINT": "endpoint",
    "AWS_ENDPOINT_URL": "endpoint",
    "AWS_ENDPOINT_URL_S3": "endpoint",
    "AWS_SKIP_SIGNATURE": "skip_signature",
    "AWS_VIRTUAL_HOSTED_STYLE_REQUEST": "virtual_hosted_style_request",
}

_AZURE_OTHERS: Final = {
    "AZURE_CLIENT_ID": "client_id",
    "AZURE_CLIENT_SECRET": "client_secret",
    "AZURE_TENANT_ID": "tenant_id",
    "AZURE_AUTHORITY_HOST": "authority_host",
    "AZURE_FEDERATED_TOKEN_FILE": "federated_token_file",
    "AZURE_OBJECT_ID": "object_id",
    "AZURE_MSI_RESOURCE_ID": "msi_resource_id",
    "AZURE_MSI_ENDPOINT": "msi_endpoint",
    "AZURE_STORAGE_TOKEN": "token",
    "AZURE_USE_AZURE_CLI": "use_azure_cli",
    "AZURE_SKIP_SIGNATURE": "skip_signature",
    "AZURE_CREDENTIAL_TYPE": "credential_type",
}


def _from_variables(keyring: Credentials) -> dict[str, str]:
    found = {
        "account": keyring.first("AZURE_STORAGE_ACCOUNT_NAME", "AZURE_STORAGE_ACCOUNT"),
        "key": keyring.first("AZURE_STORAGE_ACCOUNT_KEY", "AZURE_STORAGE_KEY", "AZURE_STORAGE_ACCESS_KEY"),
        "sas": keyring.first("AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_SAS_KEY"),
        "endpoint": keyring.first("AZURE_STORAGE_ENDPOINT", "AZURE_STORAGE_SERVICE_ENDPOINT"),
    }
    return {name: value for name, value in found.items() if value}


def _from_connection_string(text: str) -> dict[str, str]:
    """Account, key, signature and endpoint.

    Evidence: "Configure Azure Storage connection strings" on Microsoft Learn.
    """
    parts = {}
    for part in text.strip().strip(";").split(";"):
        # A key ends with equals signs, so the first one counts.
        name, equals, value = part.partition("=")
        if not equals:
            raise InputError(
                "bad-store-settings", f"{CONNECTION_VARIABLE} is not of the form Name=value;Name=value", _HINT
            )
        parts[name.strip().lower()] = value.strip()
    account, endpoint = parts.get("accountname", ""), parts.get("blobendpoint", "").rstrip("/")
    if not account:
        # One that is made of a signature names only the endpoint: https://account.blob.core.windows.net
        account = endpoint.partition("://")[2].partition(".")[0]
    elif not endpoint and "endpointsuffix" in parts:
        protocol = parts.get("defaultendpointsprotocol", "https")
        endpoint = f"{protocol}://{account}.blob.{parts['endpointsuffix']}"
    found = {
        "account": account,
        "endpoint": endpoint,
        "key": parts.get("accountkey", ""),
        "sas": parts.get("sharedaccesssignature", ""),
    }
    return {name: value for name, value in found.items() if value}


def _endpoint(place: ObjectStore, endpoint: str) -> str:
    if not re.fullmatch(r"https?://[A-Za-z0-9.\[\]:_-]+(?:/[A-Za-z0-9._-]+)*/?", endpoint, re.ASCII):
        raise _bad(place, "the endpoint is no http or https address without a query", _HINT)
    return endpoint


def _key(place: ObjectStore, key: str) -> str:
    try:
        base64.b64decode(key, validate=True)
    except (binascii.Error, ValueError):
        # Not the error itself: it may carry what it could not read.
        raise _bad(place, "the account's key is not whole: it is no base64", _HINT) from None
    return key


def _expires(place: ObjectStore, sas: str) -> float | None:
    """When the signature ends, None where a policy of the container says it."""
    pairs = dict(parse_qsl(sas, keep_blank_values=True))
    if "sig" not in pairs:
        raise _bad(place, "the shared access signature is not whole: it has no sig=", _HINT)
    try:
        ends = datetime.fromisoformat(pairs["se"])
    except (KeyError, ValueError):
        return None
    return (ends if ends.tzinfo else ends.replace(tzinfo=UTC)).timestamp()


def _bad(place: ObjectStore, what: str, hint: str) -> InputError:
    return InputError("bad-store-settings", f"{place}: {what}", hint)


def _unknown(address: ObjectStore, why: str) -> InputError:
    return InputError(
        "unknown-source",
        f"{address} is no place in an object store: {why}",
        "write az://container/path or s3://bucket/path",
    )
