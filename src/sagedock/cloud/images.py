"""Images on this machine: their building, what they are made for, and their way into a registry."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sagedock import __version__
from sagedock.errors import PlatformError, UserError

VARIANTS = ("cpu", "gpu")
DIRTY = "dirty"


@dataclass(frozen=True)
class Image:
    """An image of the local engine. `identity` is the digest of its configuration, `platform` as in linux/amd64."""

    identity: str
    platform: str

    @property
    def short(self) -> str:
        """Twelve digits of the identity, as Docker shows them."""
        return self.identity.removeprefix("sha256:")[:12]


@dataclass(frozen=True)
class Credentials:
    """What a registry asks for at login."""

    user: str
    password: str

    def __repr__(self) -> str:
        return f"Credentials(user={self.user!r})"


def build(checkout: Path, variant: str, platform: str) -> str:
    """Build the image of a variant and return its local name; raises PlatformError when scripts/build fails."""
    command = [str(checkout / "scripts" / "build"), variant, "--platform", platform]
    if subprocess.run(command, cwd=checkout, stdout=sys.stderr, check=False).returncode != 0:
        raise PlatformError(f"scripts/build {variant} failed; its last lines above say why")
    return f"sagedock:{variant}"


def inspect(name: str) -> Image:
    """The image of that name on this machine; raises UserError when there is none."""
    ran = _docker(["image", "inspect", name])
    if ran.returncode != 0:
        raise UserError(f"there is no image {name} here ({_last_line(ran)}): build it with scripts/build")
    (facts,) = json.loads(ran.stdout)
    return Image(str(facts["Id"]), f"{facts['Os']}/{facts['Architecture']}")


def tag(checkout: Path, variant: str, image: Image, *, allow_dirty: bool) -> str:
    """The tag that names what an image was made from: variant, version, git revision, and amd64 where it is not that.

    Changes that are not committed are refused unless `allow_dirty`; the tag then ends in the image's own identity,
    since a revision does not name such content. Raises UserError.
    """
    changed = _git(checkout, "status", "--porcelain").splitlines()
    if changed and not allow_dirty:
        raise UserError(
            f"the checkout has changes that are not committed ({changed[0].strip()}): commit them, so that the tag "
            "names what is in the image, or give --allow-dirty"
        )
    architecture = image.platform.removeprefix("linux/")
    words = [variant, *([architecture] if architecture != "amd64" else []), __version__]
    words += [_git(checkout, "rev-parse", "--short=12", "HEAD").strip(), *([DIRTY, image.short] if changed else [])]
    return "-".join(words)


def _git(checkout: Path, *arguments: str) -> str:
    try:
        ran = subprocess.run(["git", *arguments], cwd=checkout, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PlatformError(f"cannot run git: {error.strerror}; the tag of an image names the revision") from error
    if ran.returncode != 0:
        raise UserError(f"{checkout} is no git checkout ({ran.stderr.strip()}); the tag of an image names the revision")
    return ran.stdout


@contextmanager
def login(registry: str, credentials: Credentials, environment: Mapping[str, str]) -> Iterator[Mapping[str, str]]:
    """Log in to a registry and yield the environment in which docker is; afterwards no trace of the password is left.

    The password goes over stdin into a configuration directory of our own, so that neither a command line nor
    ~/.docker ever holds it. Raises PlatformError when the registry refuses it.
    """
    with tempfile.TemporaryDirectory(prefix="sagedock-docker-") as directory:
        ours = {**environment, **_engine(environment), "DOCKER_CONFIG": directory}
        command = ["login", "--username", credentials.user, "--password-stdin", registry]
        ran = _docker(command, ours, credentials.password)
        if ran.returncode != 0:
            raise PlatformError(f"the registry {registry} refuses the login: {_last_line(ran)}")
        yield ours


def _engine(environment: Mapping[str, str]) -> dict[str, str]:
    """The engine's address, which the user's own configuration directory may hold as a context."""
    if environment.get("DOCKER_HOST"):
        return {}
    ran = _docker(["context", "inspect", "--format", "{{.Endpoints.docker.Host}}"], environment)
    return {"DOCKER_HOST": ran.stdout.strip()} if ran.returncode == 0 and ran.stdout.strip() else {}


def push(image: Image, target: str, environment: Mapping[str, str]) -> None:
    """Push an image under the name `target`, docker's progress on stderr; raises PlatformError when that fails."""
    named = _docker(["tag", image.identity, target], environment)
    if named.returncode != 0:
        raise PlatformError(f"cannot tag {image.identity} as {target}: {_last_line(named)}")
    try:
        pushed = subprocess.run(["docker", "push", target], env=dict(environment), stdout=sys.stderr, check=False)
    finally:
        _docker(["image", "rm", "--no-prune", target], environment)
    if pushed.returncode != 0:
        raise PlatformError(f"docker push {target} failed; docker's lines above say why; what was pushed is kept")


def _docker(
    arguments: Sequence[str], environment: Mapping[str, str] | None = None, text: str | None = None
) -> subprocess.CompletedProcess[str]:
    variables = dict(os.environ if environment is None else environment)
    try:
        return subprocess.run(
            ["docker", *arguments], env=variables, input=text, capture_output=True, text=True, check=False
        )
    except OSError as error:
        raise PlatformError(f"cannot run docker: {error.strerror}; install Docker and let this user use it") from error


def _last_line(ran: subprocess.CompletedProcess[str]) -> str:
    lines = ran.stderr.strip().splitlines()
    return lines[-1] if lines else f"docker ended with the exit code {ran.returncode}"
