"""Model archives and directories are hostile input: refused by name, nothing written outside, nothing executed."""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from sagedock.contracts.archives import Limits, unpack
from sagedock.contracts.hosting import HostingSettings, InferenceOptions
from sagedock.contracts.signatures import FASTTEXT_MAGIC
from sagedock.errors import ModelError, PlatformError
from sagedock.serving.loading import load
from tests.serving.hostile import ARCHIVES, DIRECTORIES, END, Case, member, pax, tar
from tests.serving.models import ARTEFACT, booster, csv, records, write_model
from tests.serving.process import Server, wait_until

SERVED = (
    "model file that is a link outside",
    "FIFO as model file",
    "FIFO as manifest",
    "pickle, protocol 5",
    "pickle beside the model",
    "joblib, zlib",
    "npz with objects",
    "Keras",
    "empty model file",
    "truncated UBJSON",
    "deep JSON",
    "deep UBJSON",
    "holes",
    "enormous",
    "changed file",
    "manifest with dots",
    "manifest 100,000 deep",
)
"""Cases that a real server is started on; the others end in the same function."""


def tree(top: Path) -> dict[str, tuple[int, int]]:
    """Every name below `top` with its mode and, for files, its length."""
    found = {}
    for path in top.rglob("*"):
        status = path.lstat()
        found[str(path.relative_to(top))] = (status.st_mode, status.st_size if path.is_file() else 0)
    return found


def test_the_corpus_is_large_and_each_case_is_one_of_a_kind() -> None:
    """Issue 3 item 6: at least 40 cases."""
    names = [case.name for case in (*ARCHIVES, *DIRECTORIES)]
    assert len(names) == len(set(names)) > 40
    assert set(SERVED) <= set(names)


@pytest.mark.parametrize("case", ARCHIVES, ids=str)
def test_a_hostile_archive_is_refused_before_anything_is_written(case: Case, tmp_path: Path) -> None:
    archive = tmp_path / "model.tar.gz"
    case.make(archive)
    before = tree(tmp_path)
    changed = tmp_path.stat().st_mtime_ns
    with pytest.raises(ModelError, match=case.says) as caught:
        unpack(archive, tmp_path / "model")
    assert str(archive) in str(caught.value)
    assert "; " in str(caught.value), "no remedy"
    assert tree(tmp_path) == before
    assert tmp_path.stat().st_mtime_ns == changed, "something was written, if only for a moment"
    assert not Path("/tmp/canary").exists()


LOADING = """
import sys
from pathlib import Path
from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import SagedockError
from sagedock.serving.loading import load
for model in sys.stdin.read().splitlines():
    try:
        load(Path(model), None, HostingSettings())
        print("loaded", flush=True)
    except SagedockError as error:
        print(repr(f"{type(error).__name__}: {error}"), flush=True)
"""


def refusals(models: list[Path]) -> list[str]:
    """What loading each directory says, in another process; of one that ends the process, how it ended."""
    said: list[str] = []
    while len(said) < len(models):
        left = "\n".join(str(model) for model in models[len(said) :])
        command = [sys.executable, "-c", LOADING]
        ran = subprocess.run(command, input=left, capture_output=True, text=True, timeout=300, check=False)
        said += ran.stdout.splitlines()
        if ran.returncode != 0:
            said.append(f"the process ended with {ran.returncode}: {ran.stderr[-2000:]}")
    return said


@dataclass(frozen=True)
class Refused:
    """A directory after it was refused: what was said, and whether anything in or around it was touched."""

    model: Path
    message: str
    untouched: bool


@pytest.fixture(scope="module")
def refused(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Refused]:
    """Every case of DIRECTORIES by name."""
    tops = [tmp_path_factory.mktemp("hostile") for _ in DIRECTORIES]
    original = write_model(tmp_path_factory.mktemp("good"))
    models = []
    for top, case in zip(tops, DIRECTORIES, strict=True):
        models.append(shutil.copytree(original, top / "ml") / "model")
        case.make(models[-1], top / "canary")
    before = [tree(top) for top in tops]
    messages = refusals(models)
    untouched = [tree(top) == was for top, was in zip(tops, before, strict=True)]
    told = map(Refused, models, messages, untouched)
    return dict(zip((case.name for case in DIRECTORIES), told, strict=True))


@pytest.mark.parametrize("case", DIRECTORIES, ids=str)
def test_a_hostile_directory_is_refused_by_name(case: Case, refused: dict[str, Refused]) -> None:
    found = refused[case.name]
    message = found.message.replace("\\\\", "\\").replace("\\'", "'")
    assert message[1:].startswith(("ModelError: ", "UserError: ")), message
    assert re.search(case.says, message), message
    assert str(found.model) in message or "algorithm" in message
    assert found.untouched, "a canary's, for one"


@pytest.mark.parametrize("case", [case for case in DIRECTORIES if case.name in SERVED], ids=str)
def test_a_server_of_a_hostile_directory_says_why_and_lives(case: Case, tmp_path: Path) -> None:
    """contract D11: /ping is 503, the log says why, nothing crashes and nothing spins."""
    canary = tmp_path / "canary"
    base = write_model(tmp_path / "ml")
    case.make(base / "model", canary)
    with Server(base) as server:
        wait_until(lambda: "cannot serve" in server.output, "the log says nothing", server)
        reason = server.output.partition("cannot serve: ")[2]
        assert re.search(case.says, reason), reason
        workers = server.workers
        assert server.ping().status == 503
        assert server.invoke(csv(records(1))).status == 500, "the request is not at fault"
        spent = sum(cpu_seconds(pid) for pid in workers)
        assert server.ping().status == 503
        assert sum(cpu_seconds(pid) for pid in workers) - spent < 0.5
        assert server.workers == workers, "a worker was replaced"
        assert server.output.count("cannot serve") == 1
        assert "Traceback" not in server.output
        assert server.stop() == 0
    assert not canary.exists()


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def packed(model: Path, archive: Path, prefix: str, mode: str, form: int) -> None:
    """A tar of a model directory as tar itself makes it, with modes and owners that must not come out again."""

    def spoil(info: tarfile.TarInfo) -> tarfile.TarInfo:
        info.mode, info.uid, info.gid, info.uname = 0o6777, 12345, 12345, "nobody-here"
        return info

    with tarfile.open(archive, mode, format=form) as out:
        out.add(model, arcname=prefix, filter=spoil)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
@pytest.mark.parametrize("prefix", [".", "", "model", "long" * 30])
@pytest.mark.parametrize("mode", ["w:gz", "w"])
def test_a_good_archive_is_unpacked_and_serves(tmp_path: Path, form: int, prefix: str, mode: str) -> None:
    """Contract 3.2: with and without ./ in front, in a folder of its own, gzipped or plain."""
    model = write_model(tmp_path / "ml") / "model"
    (model / "code").mkdir()
    (model / "code" / "inference.py").write_text("raise SystemExit")
    if form != tarfile.USTAR_FORMAT:
        (model / "code" / ("é" * 100)).write_text("a long name")
        (model / "code" / ("a" * 200)).write_text("another")
    packed(model, tmp_path / "model.tar.gz", prefix, mode, form)
    target = tmp_path / "unpacked"
    unpack(tmp_path / "model.tar.gz", target)
    for path in (target, *target.rglob("*")):
        assert stat.S_IMODE(path.stat().st_mode) == (0o755 if path.is_dir() else 0o644)
        assert path.stat().st_uid == os.geteuid()
    answer = load(target, None, HostingSettings()).invoke(csv(records(3)), "text/csv", None)
    assert answer == load(model, None, HostingSettings()).invoke(csv(records(3)), "text/csv", None)


class Archived(Server):
    """A server that is given its model by --model."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.process.kill()
        self.process.wait()
        wait_until(lambda: not self.listens(), "the first server lives on")
        command = [sys.executable, "-m", "sagedock", "serve", "--model", str(self.base / "model.tar.gz")]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=self.variables, stdout=log, stderr=log)


def test_an_archive_is_served_and_what_was_unpacked_is_removed(tmp_path: Path) -> None:
    """requirements B1 12: serve --model DIRECTORY_OR_TAR"""
    base = write_model(tmp_path / "ml")
    packed(base / "model", base / "model.tar.gz", ".", "w:gz", tarfile.PAX_FORMAT)
    shutil.rmtree(base / "model")
    (tmp_path / "temporary").mkdir()
    with Archived(base, {"TMPDIR": str(tmp_path / "temporary"), "SAGEMAKER_MODEL_SERVER_WORKERS": "2"}) as server:
        server.wait_ready()
        assert server.invoke(csv(records(1))).status == 200
        unpacked = [path for path in (tmp_path / "temporary").iterdir() if path.is_dir()]
        assert [(path / "model" / ARTEFACT).is_file() for path in unpacked] == [True]
        assert server.stop() == 0
    assert not unpacked[0].exists()


def test_a_hostile_archive_is_not_served(tmp_path: Path) -> None:
    tar(member("../canary"))(tmp_path / "model.tar.gz")
    command = [sys.executable, "-m", "sagedock", "serve", "--model", str(tmp_path / "model.tar.gz")]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert ran.returncode == 1
    assert "ModelError: cannot unpack" in ran.stderr
    assert "leaves the directory by .." in ran.stderr
    assert "Traceback" not in ran.stderr


def test_gits_archives_are_unpacked(tmp_path: Path) -> None:
    """Their global pax header holds a comment."""
    tar(pax({"comment": "0123456789abcdef"}, b"g"), member("a/b", b"text"))(tmp_path / "a.tar")
    unpack(tmp_path / "a.tar", tmp_path / "a")
    assert (tmp_path / "a" / "a" / "b").read_bytes() == b"text"


def test_an_archive_is_unpacked_into_an_empty_directory_and_no_other(tmp_path: Path) -> None:
    tar(member("b", b"text"))(tmp_path / "a.tar")
    (tmp_path / "empty").mkdir()
    unpack(tmp_path / "a.tar", tmp_path / "empty")
    assert [file.name for file in (tmp_path / "empty").iterdir()] == ["b"]
    with pytest.raises(PlatformError, match="not an empty directory"):
        unpack(tmp_path / "a.tar", tmp_path / "empty")
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(PlatformError, match="not an empty directory"):
        unpack(tmp_path / "a.tar", tmp_path / "link")


def test_a_missing_archive_and_one_that_is_a_fifo(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for name in ("missing", "fifo"):
        with pytest.raises(ModelError, match="there is no such file"):
            unpack(tmp_path / name, tmp_path / "model")


def test_limits_are_the_callers(tmp_path: Path) -> None:
    tar(member("a", bytes(3000)), member("b", bytes(3000)))(tmp_path / "a.tar.gz")
    for limits, says in (
        (Limits(size_bytes=5000), "'b' of 3000 bytes takes the archive above 5000"),
        (Limits(members=1), "more than 1 members"),
        (Limits(ratio=2, free_bytes=0), "unpacks to more than 2 times"),
    ):
        with pytest.raises(ModelError, match=says):
            unpack(tmp_path / "a.tar.gz", tmp_path / "a", limits)
    with pytest.raises(PlatformError, match="are free there"):
        unpack(_enormous(tmp_path), tmp_path / "a", Limits(size_bytes=1 << 60))


def test_zeros_in_fasttext_models_do_not_count(tmp_path: Path) -> None:
    """They are rows of buckets that no text had; whatever else is in such an archive is counted as ever."""
    hollow = FASTTEXT_MAGIC + bytes(3_000_000)
    tar(member("model.bin", hollow), member("other", b"text"))(tmp_path / "a.tar.gz")
    unpack(tmp_path / "a.tar.gz", tmp_path / "a", Limits(ratio=10, free_bytes=1 << 19))
    assert (tmp_path / "a" / "model.bin").read_bytes() == hollow
    for name, archive in (
        ("another member", tar(member("model.bin", hollow), member("zeros", bytes(3_000_000)))),
        ("behind the end", tar(member("model.bin", hollow), end=END + bytes(3_000_000))),
        ("what is no zero", tar(member("model.bin", FASTTEXT_MAGIC + b"x" * 3_000_000))),
        ("a few at a time", tar(member("model.bin", FASTTEXT_MAGIC + (bytes(300) + b"x") * 10_000))),
    ):
        archive(tmp_path / f"{name}.tar.gz")
        with pytest.raises(ModelError, match="unpacks to more than 10 times"):
            unpack(tmp_path / f"{name}.tar.gz", tmp_path / name, Limits(ratio=10, free_bytes=1 << 19))


def _enormous(place: Path) -> Path:
    """A plain tar, all holes, whose member is larger than the disk."""
    info = tarfile.TarInfo("a")
    info.size = size = os.statvfs(place).f_blocks * os.statvfs(place).f_frsize // 512 * 512 + (1 << 30)
    file = place / "enormous.tar"
    try:
        with file.open("wb") as out:
            out.write(info.tobuf(tarfile.GNU_FORMAT))
            out.truncate(512 + size + len(END))
    except OSError:
        pytest.skip("this file system has no files that large")
    return file


@pytest.mark.parametrize("form", ["ubj", "json"])
def test_a_model_trained_elsewhere_is_served(form: str, tmp_path: Path) -> None:
    """Issue 3 item 6: no manifest, UBJ or JSON, in a folder of its own and beside code/."""
    for place in ("flat", "folder/inner"):
        model = tmp_path / place
        model.mkdir(parents=True)
        (model / ARTEFACT).write_bytes(booster().save_raw(form))
        (model / "README").write_text("made elsewhere, named shorter than the model")
        (model / "code").mkdir()
        (model / "code" / "canary.pkl").write_bytes(b"\x80\x04.")
        assert load(tmp_path / place.split("/")[0], None, HostingSettings()).model.feature_count == 5


def test_links_inside_the_directory_are_followed(tmp_path: Path) -> None:
    """Kubernetes mounts files so."""
    model = write_model(tmp_path / "ml") / "model"
    (model / "..data").mkdir()
    (model / ARTEFACT).rename(model / "..data" / ARTEFACT)
    (model / ARTEFACT).symlink_to(f"..data/{ARTEFACT}")
    assert load(model, None, HostingSettings()).model.feature_count == 5


def test_a_trusted_pickle_is_loaded(tmp_path: Path) -> None:
    """SAGEDOCK_ALLOW_PICKLE is the deployer's word (decision 0018)."""
    import pickle

    (tmp_path / ARTEFACT).write_bytes(pickle.dumps(booster()))
    settings = HostingSettings(options=InferenceOptions(allow_pickle=True))
    assert load(tmp_path, None, settings).model.feature_count == 5


LOADING_AS_NOBODY = """
import os, sys
from pathlib import Path
from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import ModelError
from sagedock.serving.loading import load
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    load(Path(sys.argv[1]), None, HostingSettings())
except ModelError as error:
    print(error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_unreadable_files_are_named_with_the_remedy() -> None:
    """In a folder of its own, that others may enter as they may not those of pytest."""
    with TemporaryDirectory() as folder:
        model = write_model(Path(folder) / "ml") / "model"
        for path in (Path(folder), *Path(folder).rglob("*")):
            path.chmod(0o755)
        (model / ARTEFACT).chmod(0)
        command = [sys.executable, "-c", LOADING_AS_NOBODY, str(model)]
        told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert f"cannot read {model / ARTEFACT}" in told
    assert "Permission denied" in told


def test_a_good_directory_is_as_it_was(tmp_path: Path) -> None:
    model = write_model(tmp_path / "ml") / "model"
    before = tree(model)
    load(model, None, HostingSettings())
    assert tree(model) == before
    assert json.loads((model / "manifest.json").read_text())["algorithm"] == "xgboost"
