"""scripts/push: build an image, push it to ECR as SageMaker takes it, and print its address."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sagedock.cloud import ecr, images, instances
from sagedock.cloud.aws import Account
from sagedock.cloud.images import Image
from sagedock.cloud.registry import SCHEMA_2, Manifest, Registry
from sagedock.errors import PlatformError, SagedockError, UserError


@dataclass(frozen=True)
class Destination:
    """Where an image goes: a repository of a registry."""

    registry: Registry
    repository: str

    @property
    def name(self) -> str:
        return f"{self.registry.address}/{self.repository}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Build, push and print the digest address on stdout, everything else on stderr; return the exit code."""
    options = _parser().parse_args(arguments)
    try:
        sys.stdout.write(_push(options, os.environ) + "\n")
    except SagedockError as error:
        sys.stderr.write(f"{type(error).__name__}: {error}\n")
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="scripts/push", description=(__doc__ or "").partition(": ")[2])
    parser.add_argument("variant", choices=images.VARIANTS)
    parser.add_argument("--repository", default="sagedock", help="name of the ECR repository (default: sagedock)")
    parser.add_argument("--region", help="AWS region (default: that of the AWS configuration)")
    parser.add_argument("--account", metavar="NUMBER", help="account that owns the registry (default: the caller's)")
    parser.add_argument("--platform", choices=instances.PLATFORMS, help="default: linux/amd64")
    parser.add_argument("--instance-type", metavar="TYPE", help="the platform of this instance type, as ml.m5.large")
    parser.add_argument("--image", metavar="NAME", help="push this local image of the variant instead of building")
    parser.add_argument("--allow-dirty", action="store_true", help="push changes that are not committed, tagged so")
    parser.add_argument("--registry", metavar="HOST[:PORT]", help="where ECR's registry is reached, if not at its name")
    return parser


def _push(options: argparse.Namespace, environment: Mapping[str, str]) -> str:
    platform, checkout = _platform(options), Path.cwd()
    account = Account(options.region)
    account.session  # noqa: B018 - what is not set up is told before minutes of building
    name = options.image or images.build(checkout, options.variant, platform)
    image = images.inspect(name)
    refuse_other_platform(name, image, platform)
    tag = images.tag(checkout, options.variant, image, allow_dirty=options.allow_dirty)
    client = account.client("ecr")
    repository = ecr.repository(client, options.repository, options.account)
    registry = Registry(
        options.registry or repository.registry, ecr.credentials(client), environment.get("AWS_CA_BUNDLE")
    )
    return deliver(image, tag, Destination(registry, repository.name), environment)


def _platform(options: argparse.Namespace) -> str:
    wanted = instances.platform(options.instance_type) if options.instance_type else None
    asked = options.platform or wanted or "linux/amd64"
    if wanted not in {None, asked}:
        raise UserError(f"{options.instance_type} is {wanted}, but --platform is {asked}: leave one of them out")
    if options.variant == "gpu" and asked != "linux/amd64":
        raise UserError(f"the GPU image is made for linux/amd64 only, not {asked}", field="--platform")
    return str(asked)


def refuse_other_platform(name: str, image: Image, platform: str) -> None:
    """Raise UserError when an image's architecture is not that of the platform it is meant for."""
    if image.platform != platform:
        raise UserError(
            f"{name} is made for {image.platform}, not {platform}: on such an instance it ends with `exec format "
            f"error`. Build it with --platform {platform}, or choose an instance type of {image.platform}",
            field="--platform",
        )


def deliver(image: Image, tag: str, destination: Destination, environment: Mapping[str, str]) -> str:
    """Push an image under a tag that is free, or that it has already, and return its address by digest.

    Raises UserError when the tag is another image's, and PlatformError when what arrived is not what SageMaker takes.
    """
    registry, repository = destination.registry, destination.repository
    there = registry.manifest(repository, tag)
    if there is not None and not there.is_of(image):
        raise UserError(
            f"{destination.name}:{tag} is there already with other content ({there.digest}); tags are never moved: "
            "commit the change, so that the tag is another"
        )
    if there is None:
        with images.login(registry.address, registry.credentials, environment) as ours:
            images.push(image, f"{destination.name}:{tag}", ours)
        there = registry.manifest(repository, tag)
    checked = _checked(there, f"{destination.name}:{tag}")
    sys.stderr.write(f"{destination.name}:{tag} has the digest {checked.digest}\n")
    return f"{destination.name}@{checked.digest}"


def _checked(manifest: Manifest | None, name: str) -> Manifest:
    if manifest is None:
        raise PlatformError(f"{name} was pushed, but the registry does not have it: push again")
    if manifest.media_type != SCHEMA_2:
        raise PlatformError(
            f"{name} arrived as {manifest.media_type}, which CreateModel refuses; it takes {SCHEMA_2}. Delete that "
            "tag, let Docker build without its containerd image store (setting containerd-snapshotter: false), and "
            "push again"
        )
    return manifest


if __name__ == "__main__":
    sys.exit(main())
