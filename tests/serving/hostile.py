"""Hostile model archives and directories, made from a seedless recipe each, with what must be said of them."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import lzma
import os
import pickle
import socket
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tests.serving.models import ARTEFACT, write_manifest

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class Case:
    """`make` writes it; `says` is a regular expression that the refusal has to fit."""

    name: str
    says: str
    make: Callable[..., None]

    def __str__(self) -> str:
        return self.name


class Canary:
    """Unpickled, it creates `file`."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self):
        return (os.mknod, (str(self.file),))


def member(name: str, content: bytes = b"x", kind: bytes = tarfile.REGTYPE, link: str = "") -> bytes:
    """A ustar header and its content."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, len(content)
    return info.tobuf(tarfile.USTAR_FORMAT) + content + bytes(-len(content) % 512)


def pax(records: dict[str, str], kind: bytes = tarfile.XHDTYPE) -> bytes:
    """A pax header of `records`."""
    text = b""
    for key, value in records.items():
        record = f" {key}={value}\n".encode("utf-8", "surrogateescape")
        length = len(record) + 2
        length += len(str(length)) - 2 if len(str(length)) > 2 else 0
        text += str(length).encode() + record
    return member("pax", text, kind)


def header(name: str, **changes: int | bytes) -> bytes:
    """A header whose bytes at an offset are replaced, the checksum put right again."""
    block = bytearray(member(name, b""))
    for place, value in changes.items():
        offset = int(place.removeprefix("at"))
        content = value if isinstance(value, bytes) else bytes([value])
        block[offset : offset + len(content)] = content
    block[148:156] = b" " * 8
    block[148:156] = f"{sum(block):06o}\0 ".encode()
    return bytes(block)


END = bytes(1024)


def tar(*members: bytes, end: bytes = END) -> Callable[[Path], None]:
    """Writes a gzipped tar of `members`."""
    return lambda file: file.write_bytes(gzip.compress(b"".join(members) + end, 1)) and None


def raw(content: bytes | Callable[[], bytes]) -> Callable[[Path], None]:
    return lambda file: file.write_bytes(content() if callable(content) else content) and None


def _whole() -> bytes:
    return gzip.compress(member(ARTEFACT, np.random.default_rng(1).bytes(4000)) + END)


def _zip() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(ARTEFACT, "x")
    return buffer.getvalue()


def _zeros(file: Path) -> None:
    """A member of 400 MB that is 400 kB gzipped."""
    with gzip.open(file, "wb", compresslevel=1) as out:
        info = tarfile.TarInfo(ARTEFACT)
        info.size = 400 * MEBIBYTE
        out.write(info.tobuf(tarfile.USTAR_FORMAT))
        for _ in range(400):
            out.write(bytes(MEBIBYTE))
        out.write(END)


def _trailing_zeros(file: Path) -> None:
    with gzip.open(file, "wb", compresslevel=1) as out:
        out.write(member(ARTEFACT) + END)
        for _ in range(200):
            out.write(bytes(MEBIBYTE))


def _declared(size: int) -> bytes:
    info = tarfile.TarInfo(ARTEFACT)
    info.size = size
    return info.tobuf(tarfile.GNU_FORMAT)


def _sparse_pax() -> bytes:
    return pax({"GNU.sparse.major": "1", "GNU.sparse.realsize": str(1 << 40)}) + member(ARTEFACT)


ARCHIVES = (
    Case("symbolic link", "'link' is a symbolic link to '/etc/passwd'", tar(member("link", b"", b"2", "/etc/passwd"))),
    Case(
        "symbolic link and a file through it",
        "'out' is a symbolic link to '/tmp'",
        tar(member("out", b"", b"2", "/tmp"), member("out/canary")),
    ),
    Case("hard link", "'link' is a hard link to '/etc/passwd'", tar(member("link", b"", b"1", "/etc/passwd"))),
    Case(
        "link with a long target", "symbolic link to 'aaaa", tar(pax({"linkpath": "a" * 150}), member("l", b"", b"2"))
    ),
    Case("character device", "'null' is a character device", tar(member("null", b"", b"3"))),
    Case("block device", "'disk' is a block device", tar(member("disk", b"", b"4"))),
    Case("FIFO", "'pipe' is a FIFO", tar(member("pipe", b"", b"6"))),
    Case("unknown type", "'odd' is of the unknown type b'Z'", tar(member("odd", b"", b"Z"))),
    Case("sparse file", "is a sparse file", tar(member(ARTEFACT, b"", tarfile.GNUTYPE_SPARSE))),
    Case("sparse file by pax", "is a sparse file", tar(_sparse_pax())),
    Case("dots", "leaves the directory by ..", tar(member("../canary"))),
    Case("dots inside", "leaves the directory by ..", tar(member("a/b/../../../canary"))),
    Case("dots by pax", "leaves the directory by ..", tar(pax({"path": "../canary"}), member("innocent"))),
    Case("dots by a long name", "leaves the dir", tar(member("n", b"../canary\0", b"L"), member("innocent"))),
    Case("dots that are a directory", "leaves the directory by ..", tar(member("..", b"", b"5"))),
    Case("absolute name", "'/tmp/canary' has an absolute name", tar(member("/tmp/canary"))),
    Case("absolute name by pax", "has an absolute name", tar(pax({"path": "/tmp/canary"}), member("innocent"))),
    Case("backslashes", "has a backslash in its name", tar(member("..\\canary"))),
    Case("NUL inside a name", "has a NUL inside its name", tar(header("good", at5=b"bad"))),
    Case("NUL by pax", "has a NUL or another control", tar(pax({"path": "good\0bad"}), member("innocent"))),
    Case("newline in a name", "control character in its name", tar(member("model\nERROR"))),
    Case("name that is not UTF-8", "a name that is not UTF-8", tar(header("x", at0=b"\xff\xfe"))),
    Case("long part", "or a part of it above 255", tar(pax({"path": "a" * 256}), member("innocent"))),
    Case("long name", "has a name above 1024 bytes", tar(pax({"path": "ab/" * 400 + "c"}), member("innocent"))),
    Case("deep", "more than 32 directories deep", tar(pax({"path": "a/" * 60 + "c"}), member("innocent"))),
    Case("no name", "has no name", tar(member(""))),
    Case("file without a name", "is a file without a name", tar(member("."))),
    Case("twice", f"'./{ARTEFACT}' occurs twice", tar(member(ARTEFACT), member(f"./{ARTEFACT}"))),
    Case("case", "'Model' differs from 'model' in case", tar(member("model"), member("Model"))),
    Case(
        "accents",
        "coding of accents only",
        tar(pax({"path": "\u00e9"}), member("a"), pax({"path": "e\u0301"}), member("b")),
    ),
    Case("directory over a file", "makes 'a' both a file and a dir", tar(member("a"), member("a/b"))),
    Case("file over a directory", "makes 'a' both a file and a dir", tar(member("a/b"), member("a"))),
    Case("directory with content", "is a directory with 3 bytes", tar(member("d", b"abc", b"5"))),
    Case("bomb", "unpacks to more than 100 times its own", _zeros),
    Case("bomb after the end", "unpacks to more than 100 times its own", _trailing_zeros),
    Case("declared bomb", "of 1099511627776 bytes takes the archive above", tar(_declared(1 << 40), end=b"")),
    Case("negative size", "has the size -1|damaged", tar(header(ARTEFACT, at124=b"\xff" * 12), end=b"")),
    Case("odd size by pax", "the size '1e9' in its pax header", tar(pax({"size": "1e9"}), member(ARTEFACT))),
    Case("huge pax header", "has a header of 2097152 bytes", tar(member("x", bytes(2 * MEBIBYTE), b"x"))),
    Case("damaged pax header", "has a damaged pax header", tar(member("x", b"99 path=a\n", b"x"), member("a"))),
    Case("many pax headers", "extension headers in a row", tar(*[pax({"comment": "c"})] * 9, member("a"))),
    Case("global pax header", "sets path for all members", tar(pax({"path": "../canary"}, b"g"), member("a"))),
    Case("pax header for nothing", "describes the next member", tar(pax({"path": "a"}))),
    Case("too many members", "has more than 10000 members", tar(*(member(f"f{n}", b"") for n in range(10_001)))),
    Case("no members", "holds no file", tar()),
    Case("only directories", "holds no file", tar(member("a/", b"", b"5"))),
    Case("truncated gzip", "is truncated", raw(lambda: _whole()[:-1000])),
    Case("truncated in a member", "truncated inside a member", tar(member(ARTEFACT, bytes(2048))[:1500], end=b"")),
    Case("truncated in a header", "truncated inside a header", tar(member(ARTEFACT)[:100], end=b"")),
    Case("without its end", "is truncated: the blocks that mark its end", tar(member(ARTEFACT), end=b"")),
    Case("data after the end", "has data after its end", tar(member(ARTEFACT), end=END + b"more")),
    Case("data after gzip", "has data after its end", raw(lambda: _whole() + b"garbage")),
    Case("wrong gzip checksum", "it is damaged", raw(lambda: _whole()[:-8] + bytes(8))),
    Case("damaged gzip", "it is damaged", raw(lambda: _whole()[:30] + bytes(40) + _whole()[70:])),
    Case("wrong tar checksum", "is no tar archive, or damaged: bad checksum", tar(b"x" + member("ab")[1:])),
    Case("bzip2", "is compressed by bzip2, not gzip", raw(lambda: bz2.compress(member(ARTEFACT) + END))),
    Case("xz", "is compressed by xz, not gzip", raw(lambda: lzma.compress(member(ARTEFACT) + END))),
    Case("zip", "is compressed by zip, not gzip", raw(_zip)),
    Case("gzip in gzip", "is no tar archive", raw(lambda: gzip.compress(_whole()))),
    Case("no tar", "is no tar archive", raw(b"<html>403 Forbidden</html>" * 40)),
    Case("empty file", "is truncated", raw(b"")),
)


def put(name: str, content: bytes | Callable[[Path], bytes], *, listed: bool = False) -> Callable[[Path, Path], None]:
    """Puts a file into a good model directory, in the manifest too if it is to be `listed`."""

    def make(model: Path, canary: Path) -> None:
        place = model / name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(content(canary) if callable(content) else content)
        if listed:
            (model / "manifest.json").unlink()
            write_manifest(model)

    return make


def alone(name: str, content: bytes | Callable[[Path], bytes]) -> Callable[[Path, Path], None]:
    """The file is all there is: no manifest."""

    def make(model: Path, canary: Path) -> None:
        for file in model.iterdir():
            file.unlink()
        put(name, content)(model, canary)

    return make


def manifest(change: Callable[[dict], object]) -> Callable[[Path, Path], None]:
    """Changes the manifest's document in place; text that is returned is written instead."""

    def make(model: Path, canary: Path) -> None:
        file = model / "manifest.json"
        document = json.loads(file.read_text())
        replaced = change(document)
        file.write_text(replaced if isinstance(replaced, str) else json.dumps(document))

    return make


def listing(name: str) -> Callable[[Path, Path], None]:
    return manifest(lambda document: document["files"].update({name: "0" * 64}))


def link(name: str, target: str) -> Callable[[Path, Path], None]:
    return lambda model, canary: (model / name).symlink_to(target)


def _linked_artefact(model: Path, canary: Path) -> None:
    outside = model.parent / "elsewhere"
    (model / ARTEFACT).rename(outside)
    (model / ARTEFACT).symlink_to(outside)


def _loop(model: Path, canary: Path) -> None:
    (model / "a").symlink_to("b")
    (model / "b").symlink_to("a")


def _fifo(name: str) -> Callable[[Path, Path], None]:
    def make(model: Path, canary: Path) -> None:
        (model / name).unlink(missing_ok=True)
        os.mkfifo(model / name)

    return make


def _socket(model: Path, canary: Path) -> None:
    here = Path.cwd()
    os.chdir(model)  # the address has room for 107 bytes
    try:
        with socket.socket(socket.AF_UNIX) as server:
            server.bind("socket")
    finally:
        os.chdir(here)


def _holes(model: Path, canary: Path) -> None:
    os.truncate(model / ARTEFACT, 1 << 32)


def _enormous(model: Path, canary: Path) -> None:
    os.truncate(model / ARTEFACT, 1 << 40)


def _folder_as_artefact(model: Path, canary: Path) -> None:
    (model / ARTEFACT).unlink()
    (model / ARTEFACT).mkdir()


def _many(model: Path, canary: Path) -> None:
    for number in range(10_000):
        (model / str(number)).touch()


def _deep(model: Path, canary: Path) -> None:
    (model / "/".join(["d"] * 40)).mkdir(parents=True)


def _changed(model: Path, canary: Path) -> None:
    file = model / ARTEFACT
    file.write_bytes(file.read_bytes()[:-1] + b"]")


def _without_manifest(change: Callable[[bytes], bytes]) -> Callable[[Path, Path], None]:
    def make(model: Path, canary: Path) -> None:
        (model / "manifest.json").unlink()
        file = model / ARTEFACT
        file.write_bytes(change(file.read_bytes()))

    return make


def _pickled(protocol: int) -> Callable[[Path], bytes]:
    return lambda canary: pickle.dumps(Canary(canary), protocol=protocol)


def _torch(canary: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("archive/data.pkl", _pickled(2)(canary))
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def _zipped_under_another_name(canary: Path) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("weights.npy", _pickled(4)(canary))
    return buffer.getvalue()


def _npy(canary: Path) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.array([Canary(canary)], dtype=object), allow_pickle=True)
    return buffer.getvalue()


def _npz(canary: Path) -> bytes:
    buffer = io.BytesIO()
    np.savez(buffer, a=np.zeros(3), b=np.array([Canary(canary)], dtype=object))
    return buffer.getvalue()


def _npz_bomb(canary: Path) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, a=np.zeros(30_000_000, dtype=np.float32))
    return buffer.getvalue()


def _hdf5(canary: Path) -> bytes:
    return b"\x89HDF\r\n\x1a\n" + bytes(500)


DIRECTORIES = (
    Case("link to a file outside", "symbolic link to '/etc/passwd', outside", link("extra", "/etc/passwd")),
    Case("link to a directory outside", "symbolic link to '/', outside the model directory", link("root", "/")),
    Case("link upwards", "symbolic link to '../..', outside", link("up", "../..")),
    Case("model file that is a link outside", "symbolic link to .*elsewhere', outside", _linked_artefact),
    Case("link to nothing", "which leads nowhere", link("dangling", "nothing")),
    Case("links in a circle", "which leads nowhere", _loop),
    Case("FIFO as model file", f"{ARTEFACT} is a FIFO", _fifo(ARTEFACT)),
    Case("FIFO as manifest", "manifest.json is a FIFO", _fifo("manifest.json")),
    Case("FIFO beside the model", "pipe is a FIFO", _fifo("pipe")),
    Case("socket", "socket is a socket", _socket),
    Case("pickle, protocol 0", "is a pickled model", alone(ARTEFACT, _pickled(0))),
    Case("pickle, protocol 1", "is a pickled model", alone(ARTEFACT, _pickled(1))),
    Case("pickle, protocol 2", "is a pickled model", alone(ARTEFACT, _pickled(2))),
    Case("pickle, protocol 5", "is a pickled model", alone(ARTEFACT, _pickled(5))),
    Case("pickle that the manifest lists", "is a pickled model", put(ARTEFACT, _pickled(4), listed=True)),
    Case("pickle beside the model", r"extra\.pkl is a pickled model", put("extra.pkl", _pickled(4))),
    Case("pickle with an innocent name", r"names\.json is a pickled model", put("names.json", _pickled(4))),
    Case("pickle in a folder", r"deep/x is a pickled model", put("deep/x", _pickled(3))),
    Case("hidden pickle", r"\.x is a pickled model", put(".x", _pickled(3))),
    Case("joblib, zlib", "as joblib writes", alone("model.joblib", lambda c: zlib.compress(_pickled(4)(c)))),
    Case("joblib, gzip", "as joblib writes", alone(ARTEFACT, lambda c: gzip.compress(_pickled(4)(c)))),
    Case("joblib, bz2", "as joblib writes", alone(ARTEFACT, lambda c: bz2.compress(_pickled(4)(c)))),
    Case("joblib, xz", "as joblib writes", alone(ARTEFACT, lambda c: lzma.compress(_pickled(4)(c)))),
    Case("torch", "as torch.save writes", alone("model.pt", _torch)),
    Case("pickle zipped as an array", "holds a pickle", alone("model.npz", _zipped_under_another_name)),
    Case("numpy array of objects", "array of objects, which are pickled", alone("model.npy", _npy)),
    Case("npz with objects", "array of objects, which are pickled", alone("model.npz", _npz)),
    Case("npz bomb", "unpacks to many times its size", alone(ARTEFACT, _npz_bomb)),
    Case("damaged zip", "a damaged zip archive", alone(ARTEFACT, b"PK\x03\x04" + bytes(50))),
    Case("Keras", r"model\.h5 is HDF5", alone("model.h5", _hdf5)),
    Case("Keras as an artefact", "HDF5, as Keras writes", alone(ARTEFACT, _hdf5)),
    Case("LightGBM", "a LightGBM model", alone("model.txt", b"tree\nversion=v4\nnum_class=1\n")),
    Case("CatBoost", "a CatBoost model", alone("xgboost-model", b"CBM1" + bytes(100))),
    Case("ONNX", "of no format known here", alone("model.onnx", b"\x08\x09\x12\x07skl2onnx")),
    Case("old XGBoost", "old binary format", alone(ARTEFACT, b"binf" + bytes(100))),
    Case("program", "a program", alone(ARTEFACT, b"\x7fELF" + bytes(100))),
    Case("script", "a script", alone(ARTEFACT, b"#!/bin/sh\ntouch canary\n")),
    Case("tar that nobody unpacked", "compressed by gzip", alone(ARTEFACT, lambda c: _whole())),
    Case("safetensors where trees are due", ARTEFACT, alone(ARTEFACT, struct.pack("<Q", 2) + b"{}")),
    Case("empty model file", f"{ARTEFACT} is empty", alone(ARTEFACT, b"")),
    Case("empty model file in the manifest", f"{ARTEFACT} is empty", put(ARTEFACT, b"", listed=True)),
    Case("truncated UBJSON", ARTEFACT, _without_manifest(lambda content: content[: len(content) // 2])),
    Case("truncated JSON", ARTEFACT, alone(ARTEFACT, b'{"learner": {"attributes": {')),
    Case("JSON of something else", ARTEFACT, alone(ARTEFACT, b'{"answer": 42}')),
    Case("deep JSON", ARTEFACT, alone(ARTEFACT, b'{"learner":' + b"[" * 100_000)),
    Case("deep UBJSON", ARTEFACT, alone(ARTEFACT, b"{U\x07learner" + b"[" * 100_000)),
    Case("UBJSON with a lying length", ARTEFACT, alone(ARTEFACT, b"{L\x7f" + b"\xff" * 7 + b"learner")),
    Case("UBJSON with a lying array", ARTEFACT, alone(ARTEFACT, b"{U\x07learner[$d#L\x7f" + b"\xff" * 7)),
    Case("manifest with a text as decision", "decision 'yes'", manifest(lambda d: d["model"].update(decision="yes"))),
    Case("holes", "nearly all of them holes", _holes),
    Case("enormous", "has 1099511627776 bytes, and at most", _enormous),
    Case("folder in the model file's place", f"{ARTEFACT}.*(no XGBoost|cannot read)|cannot read", _folder_as_artefact),
    Case("too many files", "more than 10000 files and directories", _many),
    Case("deep folders", "more than 32 directories deep", _deep),
    Case("changed file", "sha256", _changed),
    Case("missing file", "which the manifest lists", listing("xgboost-model-1")),
    Case("manifest with dots", "names the file '../x', which lies outside", listing("../x")),
    Case("manifest with an absolute name", "names the file '/etc/passwd'", listing("/etc/passwd")),
    Case("manifest with two ways to a file", r"no plain relative name", listing(f"./{ARTEFACT}")),
    Case("manifest with a NUL", "no plain relative name", listing("a\0b")),
    Case("manifest with an empty name", "no plain relative name", listing("")),
    Case("manifest with a long name", "no plain relative name", listing("a" * 300)),
    Case("manifest with half a surrogate", "no plain relative name|cannot read", listing("\ud800")),
    Case("manifest with a wrong sha256", "not 64 hexadecimal digits", manifest(lambda d: d["files"].update(x=1))),
    Case("manifest of a wrong type", "must hold a JSON object, not list", manifest(lambda d: "[]")),
    Case("manifest with a wrong member", "'files' is missing or no dict", manifest(lambda d: d.update(files=[]))),
    Case("manifest without an algorithm", "'algorithm' is missing", manifest(lambda d: d.update(algorithm=None))),
    Case(
        "manifest with a wrong count", "feature_count is '5'", manifest(lambda d: d["model"].update(feature_count="5"))
    ),
    Case(
        "manifest with an enormous count",
        "feature_count is",
        manifest(lambda d: d["model"].update(feature_count=1 << 40)),
    ),
    Case("manifest of another algorithm", "evil/../x", manifest(lambda d: d.update(algorithm="evil/../x"))),
    Case("manifest of a later format", "format_version 2", manifest(lambda d: d.update(format_version=2))),
    Case("manifest with a boolean format", "format_version True", manifest(lambda d: d.update(format_version=True))),
    Case(
        "manifest with a name twice", "holds 'algorithm' twice", manifest(lambda d: '{"algorithm":"a","algorithm":"b"}')
    ),
    Case("manifest with NaN", "NaN is no JSON number", manifest(lambda d: '{"a": NaN}')),
    Case("manifest 100,000 deep", r"manifest\.json", manifest(lambda d: "[" * 100_000)),
    Case("manifest of 17 MB", "has more than 16777216 bytes", manifest(lambda d: " " * (17 * MEBIBYTE))),
    Case("manifest that is no text", r"manifest\.json", put("manifest.json", b"\xff\xfe\xfd" * 10)),
    Case("empty manifest", r"manifest\.json", put("manifest.json", b"")),
)
