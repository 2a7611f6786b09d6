"""Batch transform from bucket to bucket, against a server that speaks S3."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

from tests.local.conftest import CREDENTIALS
from tests.local.jobs import body, transform
from tests.serving.models import csv, records
from tests.serving.process import Server


def keys(s3: Any, prefix: str = "") -> dict[str, bytes]:
    """Every object of the bucket, by key."""
    found = s3.list_objects_v2(Bucket="data", Prefix=prefix).get("Contents", [])
    return {item["Key"]: s3.get_object(Bucket="data", Key=item["Key"])["Body"].read() for item in found}


@pytest.fixture
def environment(s3_endpoint: str, s3: Any) -> dict[str, str]:
    return {**CREDENTIALS, "AWS_ENDPOINT_URL_S3": s3_endpoint}


def expected(model: Path, content: bytes) -> bytes:
    with Server(model.parent) as server:
        return server.wait_ready().invoke(content).body


def test_a_prefix(tmp_path: Path, model: Path, s3: Any, environment: dict[str, str]) -> None:
    """Contract 4.4: `<key>.out` under the output path, relative to the prefix."""
    content = csv(records(50))
    for key in ("in/a.csv", "in/deep/b.csv", "in/", "other/c.csv"):
        s3.put_object(Bucket="data", Key=key, Body=b"" if key.endswith("/") else content)
    for number, uri in enumerate(["s3://data/in/", "s3://data/in"]):
        ran = transform(tmp_path, body(uri, f"s3://data/out-{number}"), model, **environment)
        assert ran.returncode == 0, ran.stderr
        answers = expected(model, content)
        assert keys(s3, f"out-{number}/") == {
            f"out-{number}/a.csv.out": answers,
            f"out-{number}/deep/b.csv.out": answers,
        }


def test_a_manifest_and_gzip(tmp_path: Path, model: Path, s3: Any, environment: dict[str, str]) -> None:
    content = csv(records(20))
    for name in ("a", "b", "left-out"):
        s3.put_object(Bucket="data", Key=f"in/{name}.csv.gz", Body=gzip.compress(content))
    manifest = [{"prefix": "s3://data/in/"}, "a.csv.gz", "b.csv.gz"]
    s3.put_object(Bucket="data", Key="manifest.json", Body=json.dumps(manifest).encode())
    document = body("s3://data/manifest.json", "s3://data/out/", S3DataType="ManifestFile", CompressionType="Gzip")
    ran = transform(tmp_path, document, model, **environment)
    assert ran.returncode == 0, ran.stderr
    answers = expected(model, content)
    assert keys(s3, "out/") == {"out/a.csv.gz.out": answers, "out/b.csv.gz.out": answers}


def test_only_whole_objects_are_uploaded(tmp_path: Path, model: Path, s3: Any, environment: dict[str, str]) -> None:
    """Contract 4.4: a failed object has no output, the others keep theirs; with --rejects both have."""
    s3.put_object(Bucket="data", Key="in/bad.csv", Body=csv(records(10)) + b"x,1,2,3,4\n")
    s3.put_object(Bucket="data", Key="in/good.csv", Body=csv(records(10)))
    ran = transform(tmp_path, body("s3://data/in/", "s3://data/out"), model, **environment)
    assert ran.returncode == 1
    assert "s3://data/in/bad.csv, line 11: the container answered 400" in ran.stderr
    assert set(keys(s3, "out/")) == {"out/good.csv.out"}
    ran = transform(tmp_path, body("s3://data/in/", "s3://data/out"), model, "--rejects", **environment)
    assert ran.returncode == 0, ran.stderr
    files = keys(s3, "out/")
    assert files["out/bad.csv.out"] == files["out/good.csv.out"]
    assert json.loads(files["out/bad.csv.rejects.jsonl"])["file"] == "s3://data/in/bad.csv"


@pytest.mark.parametrize(
    ("source", "output", "reason"),
    [
        ("s3://data/nothing", "s3://data/out", "nothing lies at s3://data/nothing"),
        ("s3://absent/in", "s3://data/out", "PlatformError: s3://absent/in: "),
        ("s3://data/in/", "s3://absent/out", "s3://absent/out/a.csv.out: "),
        ("s3:///in", "s3://data/out", "names no bucket"),
    ],
)
def test_refusals_name_the_address(
    tmp_path: Path, model: Path, s3: Any, environment: dict[str, str], source: str, output: str, reason: str
) -> None:
    s3.put_object(Bucket="data", Key="in/a.csv", Body=csv(records(2)))
    ran = transform(tmp_path, body(source, output), model, **environment)
    assert (ran.returncode, reason in ran.stderr) == (1, True), ran.stderr


def test_keys_lead_nowhere_else(tmp_path: Path, model: Path, s3: Any, environment: dict[str, str]) -> None:
    """A key may hold `..`; a local output path does not follow it."""
    s3.put_object(Bucket="data", Key="in/../../escaped.csv", Body=csv(records(2)))
    ran = transform(tmp_path, body("s3://data/in/", tmp_path / "deep" / "out"), model, **environment)
    assert (ran.returncode, "would lead out of the output directory" in ran.stderr) == (1, True), ran.stderr
    assert not list(tmp_path.rglob("escaped*"))


def test_without_boto3(tmp_path: Path, model: Path) -> None:
    """The extra is named; local paths do not import it."""
    (tmp_path / "blocked" / "boto3").mkdir(parents=True)
    (tmp_path / "blocked" / "boto3" / "__init__.py").write_text("raise ImportError('not installed')\n")
    content = csv(records(2))
    (tmp_path / "a.csv").write_bytes(content)
    path = str(tmp_path / "blocked")
    ran = transform(tmp_path, body("s3://data/in", tmp_path / "out"), model, PYTHONPATH=path)
    assert "s3:// addresses need the package boto3: pip install 'sagedock[sagemaker]'" in ran.stderr
    ran = transform(tmp_path, body(tmp_path / "a.csv", tmp_path / "out"), model, PYTHONPATH=path)
    assert ran.returncode == 0, ran.stderr
