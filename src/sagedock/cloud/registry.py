"""A container registry as its HTTP interface shows it: which manifest a tag has (OCI distribution specification)."""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import json
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sagedock.cloud.images import Credentials, Image
from sagedock.errors import PlatformError

SCHEMA_2 = "application/vnd.docker.distribution.manifest.v2+json"
"""The only type of manifest that CreateModel takes (contract 9)."""
_KNOWN = (
    SCHEMA_2,
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.oci.image.index.v1+json",
)
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Manifest:
    """What a tag stands for."""

    media_type: str
    digest: str
    body: bytes

    def is_of(self, image: Image) -> bool:
        """Whether this is that local image, known by its configuration's digest or by our own (containerd)."""
        configuration = json.loads(self.body).get("config") or {}
        return image.identity in {configuration.get("digest"), self.digest}


@dataclass(frozen=True)
class Registry:
    """A registry at `address` (host, or host:port); plain HTTP on this machine only, which is Docker's own rule."""

    address: str
    credentials: Credentials
    authorities: str | None = field(default=None)

    def manifest(self, repository: str, reference: str) -> Manifest | None:
        """The manifest of a tag or digest; None when the registry has none. Raises PlatformError."""
        url = f"{self._scheme}://{self.address}/v2/{repository}/manifests/{reference}"
        request = urllib.request.Request(url, headers=self._headers)  # noqa: S310 - http only on the loopback
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS, context=self._tls) as answer:  # noqa: S310
                return _manifest(answer.read(), answer.headers, url)
        except urllib.error.HTTPError as error:
            if error.code == HTTPStatus.NOT_FOUND:
                return None
            raise PlatformError(f"{url} answered {error.code}: {_told(error)}") from error
        except OSError as error:
            raise PlatformError(f"cannot read {url}: {error}") from error

    @property
    def _headers(self) -> dict[str, str]:
        pair = f"{self.credentials.user}:{self.credentials.password}".encode()
        return {"Accept": ", ".join(_KNOWN), "Authorization": f"Basic {base64.b64encode(pair).decode()}"}

    @property
    def _scheme(self) -> str:
        return "http" if _on_this_machine(self.address.rpartition(":")[0] or self.address) else "https"

    @property
    def _tls(self) -> ssl.SSLContext | None:
        return ssl.create_default_context(cafile=self.authorities) if self._scheme == "https" else None


def _on_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host == "localhost"


def _manifest(body: bytes, headers: Mapping[str, Any], url: str) -> Manifest:
    digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
    told = headers.get("Docker-Content-Digest", digest)
    if told != digest:
        raise PlatformError(f"{url}: the registry says {told}, the manifest it sent is {digest}: push again")
    return Manifest(str(headers.get("Content-Type", "")).partition(";")[0].strip(), digest, body)


def _told(error: urllib.error.HTTPError) -> str:
    return error.read(500).decode(errors="replace").strip() or str(error.reason)
