"""Object stores over HTTP, each with a container, and the environment in which dlt finds them: S3, Google, Azure."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.support.loopback import Loopback, Scripted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fsspec import AbstractFileSystem

CONTAINER = "returns-of-the-shop"
AZURITE = os.environ.get("AZURITE") or shutil.which("azurite-blob")  # Microsoft's own, from npm
_PREFIX = "DESTINATION__FILESYSTEM__"
_ACCOUNT = "devstoreaccount1"  # the one that Azurite has, with the key that everybody knows
_KEY = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="


@dataclass(frozen=True)
class Store:
    """A store by the scheme of its addresses."""

    scheme: str
    environment: dict[str, str]
    system: AbstractFileSystem  # of the test's own, which keeps no listings


@contextmanager
def s3() -> Iterator[Store]:
    """S3's protocol, by moto."""
    from moto.server import ThreadedMotoServer
    from s3fs import S3FileSystem

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    values = {"AWS_ACCESS_KEY_ID": "loader", "AWS_SECRET_ACCESS_KEY": "secret", "ENDPOINT_URL": address}
    system = S3FileSystem(key="loader", secret="secret", endpoint_url=address, use_listings_cache=False)
    system.mkdir(CONTAINER)
    yield Store("s3", {f"{_PREFIX}CREDENTIALS__{name}": value for name, value in values.items()}, system)
    server.stop()


@contextmanager
def gs() -> Iterator[Store]:
    """Google's protocol, by gcp-storage-emulator; a service account gets its token from a server beside it."""
    from cryptography.hazmat.primitives import serialization as form
    from cryptography.hazmat.primitives.asymmetric import rsa
    from gcp_storage_emulator.server import create_server
    from gcsfs.core import GCSFileSystem

    private = rsa.generate_private_key(65537, 2048)
    pem = private.private_bytes(form.Encoding.PEM, form.PrivateFormat.PKCS8, form.NoEncryption()).decode()
    account = {"type": "service_account", "project_id": "shop", "client_email": "loader@example.com", "private_key": pem}
    server = create_server("127.0.0.1", 0, in_memory=True, default_bucket=CONTAINER)
    with Loopback(Scripted({"access_token": "token", "expires_in": 3600})) as tokens, server:
        address = f"http://127.0.0.1:{server._api._httpd.server_port}"  # it tells the port that it got nowhere else
        credentials = json.dumps(account | {"token_uri": tokens.url})
        system = GCSFileSystem(token="anon", endpoint_url=address, use_listings_cache=False)
        yield Store("gs", {f"{_PREFIX}CREDENTIALS": credentials, "STORAGE_EMULATOR_HOST": address}, system)


@contextmanager
def az() -> Iterator[Store]:
    """Azure's protocol, by Azurite, which lags behind the newest version of it that clients speak."""
    from adlfs import AzureBlobFileSystem
    from azure.storage.blob import BlobServiceClient

    options = ("--inMemoryPersistence", "--skipApiVersionCheck", "--disableTelemetry", "--blobPort", "0")
    with subprocess.Popen([str(AZURITE), *options], stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        address = next(found[0] for line in server.stdout if (found := re.search(r"(?<=listens on )http\S+", line)))
        parts = {"DefaultEndpointsProtocol": "http", "AccountName": _ACCOUNT, "AccountKey": _KEY}
        text = "".join(f"{name}={value};" for name, value in (parts | {"BlobEndpoint": f"{address}/{_ACCOUNT}"}).items())
        system = AzureBlobFileSystem(connection_string=text, use_listings_cache=False)
        BlobServiceClient.from_connection_string(text).create_container(CONTAINER)
        values = {"CREDENTIALS__AZURE_STORAGE_ACCOUNT_NAME": _ACCOUNT, "CREDENTIALS__AZURE_STORAGE_ACCOUNT_KEY": _KEY}
        values["KWARGS"] = json.dumps({"connection_string": text})
        yield Store("az", {f"{_PREFIX}{name}": value for name, value in values.items()}, system)
        server.terminate()
