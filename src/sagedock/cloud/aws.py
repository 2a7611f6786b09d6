"""AWS's clients, and its refusals told as errors of ours with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from sagedock.errors import PlatformError, SagedockError, UserError

EXTRA = "boto3 is not installed; it is the extra `sagemaker`: pip install 'sagedock[sagemaker]'"
_EXPIRED = ("ExpiredToken", "ExpiredTokenException", "InvalidClientTokenId", "UnrecognizedClientException")
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_MISSING = ("could not find", "not found", "does not exist")


@dataclass(frozen=True)
class Account:
    """An AWS account and region, as boto3's own settings, or `region`, choose them."""

    region: str | None = None

    @cached_property
    def session(self) -> Any:
        """The boto3 session; raises PlatformError without boto3 and UserError without a region."""
        try:
            import boto3
        except ImportError as error:
            raise PlatformError(EXTRA) from error
        with asking("reading AWS's configuration"):
            session = boto3.Session(region_name=self.region)
        if session.region_name is None:
            raise UserError("no AWS region is set: give --region, or set AWS_DEFAULT_REGION", field="--region")
        return session

    @cached_property
    def number(self) -> str:
        """The twelve digits of the account that the credentials belong to."""
        with asking("asking whose credentials these are (sts:GetCallerIdentity)"):
            return str(self.client("sts").get_caller_identity()["Account"])

    def client(self, service: str) -> Any:
        """The client of a service, named as boto3 names it."""
        session = self.session
        with asking(f"connecting to {service}"):
            return session.client(service)


@contextmanager
def asking(doing: str) -> Iterator[None]:
    """Turn what AWS or boto3 refuses inside into an error that says what was being done and what to do about it."""
    try:
        import botocore.exceptions as refused
        from boto3.exceptions import Boto3Error
    except ImportError as error:
        raise PlatformError(EXTRA) from error
    try:
        yield
    except refused.ClientError as error:
        raise _explained(error.response.get("Error", {}), doing) from error
    except (refused.NoCredentialsError, refused.PartialCredentialsError) as error:
        raise UserError(
            f"{doing}: AWS has no credentials of yours: run `aws configure` or `aws sso login`, or set AWS_PROFILE"
        ) from error
    except (refused.BotoCoreError, refused.HTTPClientError, Boto3Error) as error:
        raise PlatformError(f"{doing}: {error}") from error


def _explained(refusal: Mapping[str, Any], doing: str) -> SagedockError:
    code, text = str(refusal.get("Code", "")), str(refusal.get("Message", ""))
    if code in _EXPIRED:
        return UserError(f"{doing}: AWS does not accept the credentials ({text}): sign in again")
    if code in _DENIED:
        return UserError(f"{doing}: not allowed ({text}): ask for that permission, or choose another profile")
    if code == "ResourceLimitExceeded":
        return PlatformError(f"{doing}: {text}; choose another instance type, or ask for a higher quota")
    return UserError(f"{doing}: AWS answered {code}: {text}")


def absent(error: Any) -> bool:
    """Whether botocore's ClientError says that what was named is not there."""
    refusal = error.response.get("Error", {})
    code, text = str(refusal.get("Code", "")), str(refusal.get("Message", "")).lower()
    return code in {"404", "NoSuchKey", "NoSuchBucket"} or any(sign in text for sign in _MISSING) or "NotFound" in code
