"""scripts/push against a real registry and a real engine, with ECR's API from moto's server."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import docker
import pytest

from sagedock.cloud import images
from sagedock.cloud.images import Credentials, Image
from sagedock.cloud.push import Destination, deliver
from sagedock.cloud.registry import SCHEMA_2, Registry
from sagedock.errors import PlatformError, UserError
from tests.cloud.services import PASSWORD, Aws, DebianRegistry, aws_server, debian_registry
from tests.images.container import Engine

pytestmark = pytest.mark.docker

ROOT = Path(__file__).parents[2]
OCI = "application/vnd.oci.image.manifest.v1+json"


@pytest.fixture
def aws() -> Iterator[Aws]:
    with aws_server() as server:
        yield server


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DebianRegistry]:
    with debian_registry(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture(scope="module")
def tiny(client: docker.DockerClient) -> Iterator[dict[str, str]]:
    """Names of images of one file each, by platform; `other` is amd64 with another file."""
    contents = {"linux/amd64": b"one", "linux/arm64": b"one", "other": b"two"}
    names = {key: f"sagedock-test:push-{key.rpartition('/')[2]}" for key in contents}
    for key, content in contents.items():
        client.images.load(_archive(names[key], key.partition("/")[2] or "amd64", content))
    yield names
    for name in names.values():
        client.images.remove(name)


def _archive(name: str, architecture: str, content: bytes) -> bytes:
    """An image as `docker save` writes it."""
    layer = _tar({"file": content})
    history = {"rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(layer).hexdigest()}"]}}
    configuration = json.dumps({"architecture": architecture, "os": "linux", "config": {"Cmd": ["/file"]}, **history})
    manifest = json.dumps([{"Config": "config.json", "RepoTags": [name], "Layers": ["layer.tar"]}])
    return _tar({"layer.tar": layer, "config.json": configuration.encode(), "manifest.json": manifest.encode()})


def _tar(files: Mapping[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
    return archive.getvalue()


@pytest.fixture
def destination(registry: DebianRegistry, request: pytest.FixtureRequest) -> Destination:
    """A repository of this test's own."""
    name = request.node.name.partition("[")[0].replace("_", "-")
    return Destination(Registry(registry.address, Credentials("AWS", PASSWORD)), name)


def push(
    aws: Aws, *arguments: str, checkout: Path = ROOT, script: bool = False, **variables: str
) -> subprocess.CompletedProcess[str]:
    command = ["scripts/push"] if script else [sys.executable, "-m", "sagedock.cloud.push"]
    environment = {**aws.environment, **variables}
    return subprocess.run(
        [*command, *arguments], cwd=checkout, env=environment, capture_output=True, text=True, timeout=580, check=False
    )


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A git checkout with one commit and no change since."""
    directory = tmp_path / "checkout"
    directory.mkdir()
    (directory / "file").write_text("content")
    for command in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "-m", "Begin"]):
        author = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        subprocess.run(["git", *author, *command], cwd=directory, check=True)
    return directory


def test_an_image_arrives_as_sagemaker_takes_it(
    aws: Aws, registry: DebianRegistry, tiny: dict[str, str], checkout: Path, tmp_path: Path
) -> None:
    """Contract A09: Docker schema 2 for one platform, under an immutable tag, its digest printed (requirement 46)."""
    arguments = ["cpu", "--image", tiny["linux/amd64"], "--registry", registry.address, "--repository", "arrives"]
    done = push(aws, *arguments, checkout=checkout)
    assert done.returncode == 0, done.stderr
    name, _, digest = done.stdout.strip().partition("@")
    assert name == f"{registry.address}/arrives"
    [tag] = registry.tags("arrives")
    revision = subprocess.run(["git", "rev-parse", "HEAD"], cwd=checkout, capture_output=True, text=True, check=True)
    assert tag == f"cpu-0.1.0-{revision.stdout[:12]}"
    status, headers, body = registry.request("GET", f"/v2/arrives/manifests/{tag}", Accept=f"{SCHEMA_2}, {OCI}")
    assert (status, headers["Content-Type"], headers["Docker-Content-Digest"]) == (200, SCHEMA_2, digest)
    assert json.loads(body)["config"]["digest"] == images.inspect(tiny["linux/amd64"]).identity
    [made] = aws.client("ecr").describe_repositories()["repositories"]
    assert made["repositoryName"] == "arrives"
    assert made["imageTagMutability"] == "IMMUTABLE"
    assert made["imageScanningConfiguration"] == {"scanOnPush": True}
    again = push(aws, *arguments, checkout=checkout)
    assert (again.returncode, again.stdout) == (0, done.stdout)


def test_the_password_is_nowhere(
    aws: Aws, registry: DebianRegistry, tiny: dict[str, str], checkout: Path, tmp_path: Path
) -> None:
    """Not on a command line, which a docker that notes its arguments would show, and not in the home directory."""
    real, noted, home = shutil.which("docker"), tmp_path / "noted", tmp_path / "home"
    home.mkdir()
    (tmp_path / "bin").mkdir()
    wrapper = tmp_path / "bin" / "docker"
    wrapper.write_text(f'#!/bin/sh\necho "$DOCKER_CONFIG $*" >>{noted}\nexec {real} "$@"\n')
    wrapper.chmod(0o755)
    arguments = ["cpu", "--image", tiny["linux/amd64"], "--registry", registry.address, "--repository", "password"]
    path = f"{wrapper.parent}:{os.environ['PATH']}"
    done = push(aws, *arguments, checkout=checkout, PATH=path, HOME=str(home))
    assert done.returncode == 0, done.stderr
    lines = noted.read_text().splitlines()
    [login] = [line for line in lines if " login " in line]
    assert "--password-stdin" in login
    assert PASSWORD not in noted.read_text() + done.stderr + done.stdout
    assert not Path(login.split()[0]).exists()
    assert not list(home.rglob("config.json"))


def test_a_tag_is_never_moved(destination: Destination, registry: DebianRegistry, tiny: dict[str, str]) -> None:
    """Requirement 46: the same tag always means the same image."""
    first = deliver(images.inspect(tiny["linux/amd64"]), "cpu-1", destination, os.environ)
    with pytest.raises(UserError, match=r"other content .*tags are never moved"):
        deliver(images.inspect(tiny["other"]), "cpu-1", destination, os.environ)
    assert deliver(images.inspect(tiny["linux/amd64"]), "cpu-1", destination, os.environ) == first


def test_another_media_type_is_refused(
    destination: Destination, registry: DebianRegistry, tiny: dict[str, str]
) -> None:
    """Contract A09: what arrived in OCI's form, as newer engines push, is told and not called done."""
    image = images.inspect(tiny["linux/amd64"])
    deliver(image, "good", destination, os.environ)
    path = f"/v2/{destination.repository}/manifests"
    manifest = json.loads(registry.request("GET", f"{path}/good", Accept=SCHEMA_2)[2])
    manifest["mediaType"] = OCI
    manifest["config"]["mediaType"] = "application/vnd.oci.image.config.v1+json"
    for layer in manifest["layers"]:
        layer["mediaType"] = "application/vnd.oci.image.layer.v1.tar+gzip"
    assert registry.request("PUT", f"{path}/oci", json.dumps(manifest).encode(), Content_Type=OCI)[0] == 201
    with pytest.raises(PlatformError, match=r"oci\.image\.manifest\.v1\+json, which CreateModel refuses"):
        deliver(image, "oci", destination, os.environ)


@pytest.mark.parametrize(
    ("image", "arguments", "text"),
    [
        ("linux/arm64", [], "is made for linux/arm64, not linux/amd64"),
        ("linux/amd64", ["--platform", "linux/arm64"], "is made for linux/amd64, not linux/arm64"),
        ("linux/amd64", ["--instance-type", "ml.c7g.large"], "is made for linux/amd64, not linux/arm64"),
        ("linux/amd64", ["--instance-type", "ml.c7g.large", "--platform", "linux/amd64"], "ml.c7g.large is linux/arm"),
    ],
)
def test_an_image_of_another_architecture_is_not_pushed(
    aws: Aws,
    registry: DebianRegistry,
    tiny: dict[str, str],
    checkout: Path,
    image: str,
    arguments: list[str],
    text: str,
) -> None:
    """Requirement 16: `exec format error` is found before pushing, not after deploying."""
    given = ["cpu", "--image", tiny[image], "--registry", registry.address, "--repository", "architecture"]
    done = push(aws, *given, *arguments, checkout=checkout)
    assert done.returncode == 1
    assert text in done.stderr
    assert done.stdout == ""
    assert aws.client("ecr").describe_repositories()["repositories"] == []
    assert registry.tags("architecture") == []


def test_changes_that_are_not_committed_are_refused_unless_allowed(
    aws: Aws, registry: DebianRegistry, tiny: dict[str, str], checkout: Path
) -> None:
    (checkout / "file").write_text("changed")
    arguments = ["cpu", "--image", tiny["linux/amd64"], "--registry", registry.address, "--repository", "dirty"]
    refused = push(aws, *arguments, checkout=checkout)
    assert refused.returncode == 1
    assert "not committed (M file)" in refused.stderr
    allowed = push(aws, *arguments, "--allow-dirty", checkout=checkout)
    assert allowed.returncode == 0, allowed.stderr
    assert registry.tags("dirty")[0].endswith(f"-dirty-{images.inspect(tiny['linux/amd64']).short}")


def test_a_registry_that_refuses_the_login(registry: DebianRegistry, tiny: dict[str, str]) -> None:
    wrong = Registry(registry.address, Credentials("AWS", "wrong"))
    with pytest.raises(PlatformError, match="answered 401"):
        deliver(images.inspect(tiny["linux/amd64"]), "cpu-1", Destination(wrong, "login"), os.environ)
    with (
        pytest.raises(PlatformError, match=f"the registry {registry.address} refuses the login"),
        images.login(registry.address, Credentials("AWS", "wrong"), os.environ),
    ):
        pass


@pytest.mark.slow
def test_the_real_image_goes_out_and_comes_back(
    aws: Aws, registry: DebianRegistry, cpu: Engine, client: docker.DockerClient
) -> None:
    """Contract A09 of the image itself: scripts/push builds it, and what is pulled by the printed digest runs."""
    done = push(aws, "cpu", "--registry", registry.address, "--allow-dirty", script=True)
    assert done.returncode == 0, done.stderr
    uri = done.stdout.strip()
    pulled = Registry(registry.address, Credentials("AWS", PASSWORD)).manifest("sagedock", uri.partition("@")[2])
    assert pulled is not None
    assert pulled.media_type == SCHEMA_2
    client.images.pull(uri, auth_config={"username": "AWS", "password": PASSWORD})
    assert b"xgboost" in client.containers.run(uri, "list", remove=True)
    client.images.remove(uri)


def test_an_image_is_known_by_its_configuration(tiny: dict[str, str]) -> None:
    found = images.inspect(tiny["linux/arm64"])
    assert found.platform == "linux/arm64"
    assert found == Image(found.identity, "linux/arm64")
    with pytest.raises(UserError, match="there is no image sagedock-test:none here"):
        images.inspect("sagedock-test:none")
