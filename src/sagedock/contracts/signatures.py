"""What a file is, told by its content and never by its name, and whether a model may be loaded from it."""

from __future__ import annotations

import io
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from sagedock.errors import ModelError

if TYPE_CHECKING:
    from zipfile import ZipFile

HEAD = 1 << 16
LARGEST_BYTES = 16 << 30
HOLLOW = 100
"""A file this many times as long as what it takes on disk is a bomb, from LITTLE bytes on."""
LITTLE = 64 << 20
_LARGEST_SAFETENSORS_HEADER = 100_000_000

_SAVE_AGAIN = "save the model as UBJSON or JSON (XGBoost's Booster.save_model), safetensors or npz"


@dataclass(frozen=True)
class Kind:
    """A kind of file; `safe` when reading it runs no code, `pickle` when reading it as meant would."""

    name: str
    safe: bool = False
    pickle: bool = False
    remedy: str = _SAVE_AGAIN


EMPTY = Kind("empty", remedy="deploy the model's archive again")
JSON, UBJSON = Kind("JSON", safe=True), Kind("UBJSON", safe=True)
SAFETENSORS, NPY, NPZ = Kind("safetensors", safe=True), Kind("a numpy array", safe=True), Kind("npz", safe=True)
FASTTEXT, WORD_VECTORS = Kind("a fastText model", safe=True), Kind("word vectors as text", safe=True)
ONNX = Kind("a network in ONNX as sagedock writes it", safe=True)
PICKLE = Kind("a pickle", pickle=True)
PICKLED_ARRAY = Kind("a numpy array of objects, which are pickled", pickle=True)
ZIPPED_PICKLE = Kind("a zip archive that holds a pickle, as torch.save writes it", pickle=True)
COMPRESSED_PICKLE = Kind("a compressed pickle, as joblib writes it", pickle=True)
UNKNOWN = Kind("of no format known here")

_FOREIGN = (
    (b"binf", Kind("in XGBoost's old binary format", remedy="load it with XGBoost 1.3 to 3.0 and save it as UBJSON")),
    (b"\x89HDF\r\n\x1a\n", Kind("HDF5, as Keras writes it")),
    (b"CBM1", Kind("a CatBoost model")),
    (b"tree\nversion=", Kind("a LightGBM model")),
    (b"GGUF", Kind("a GGUF model")),
    (b"<?xml", Kind("XML, such as PMML")),
    (b"PAR1", Kind("Parquet")),
    (b"\x7fELF", Kind("a program")),
    (b"#!", Kind("a script")),
    (b"SQLite format 3\0", Kind("a database")),
)
_UBJSON_MARKERS = {b"i", b"U", b"I", b"l", b"L", b"#", b"$", b"N"}
"""What follows the brace of an object: the type of its first key's length, or of its size (UBJSON draft 12)."""
_PICKLE_PROTOCOL = 0x80
_NUMPY = b"\x93NUMPY"
ONNX_START = b"\x08\x08\x12\x08sagedock"
"""Version 8 of the format, and who wrote it: how our files begin. Others are of no use here and are not loaded."""
FASTTEXT_MAGIC = (793712314).to_bytes(4, "little")
_WORD_VECTORS = re.compile(rb"\d{1,10} \d{1,6}\r?\n")
"""How many words and of how many dimensions; no pickle begins with a digit."""
_OBJECTS = re.compile(rb"['\"][|<>=]?O\d*['\"]")


def recognise(file: Path) -> Kind:
    """The kind of `file`, from its first 64 KiB and, for a zip archive, from its directory; raises OSError."""
    with file.open("rb") as content:
        head = content.read(HEAD)
    if head[:2] == b"PK":
        return _zip_kind(file)
    return _kind(head)


def require_safe(file: Path, *, allow_pickle: bool = False) -> None:
    """Raise ModelError unless a model may be loaded from `file`; a pickle may with `allow_pickle`."""
    kind = recognise(file)
    if kind.safe:
        return
    if not kind.pickle:
        is_or = "is" if kind is EMPTY else "holds no model that can be served: it is"
        raise ModelError(f"{file} {is_or} {kind.name}: {kind.remedy}")
    if not allow_pickle:
        raise pickle_error(file, kind)


def pickle_error(file: Path, kind: Kind) -> ModelError:
    """What is said of a pickle that nobody has vouched for."""
    return ModelError(
        f"{file} is a pickled model ({kind.name}), and unpickling runs whatever code is in it: {kind.remedy}, or set "
        "SAGEDOCK_ALLOW_PICKLE=true if you trust its maker"
    )


def require_size(file: Path, size: int, blocks: int) -> None:
    """Raise ModelError for a file too large to load; `blocks` of 512 bytes are what it takes on disk."""
    if size > LARGEST_BYTES:
        raise ModelError(f"{file} has {size} bytes, and at most {LARGEST_BYTES} are loaded: deploy a smaller model")
    if size > LITTLE and size > HOLLOW * 512 * blocks:
        raise ModelError(f"{file} has {size} bytes, nearly all of them holes: deploy the model's archive again")


def _kind(head: bytes) -> Kind:
    if not head:
        return EMPTY
    return _binary_kind(head) or _text_kind(head) or _foreign_kind(head) or UNKNOWN


def _binary_kind(head: bytes) -> Kind | None:
    if head[8:9] == b"{" and int.from_bytes(head[:8], "little") < _LARGEST_SAFETENSORS_HEADER:
        return SAFETENSORS  # before pickle: a length may begin with its first byte
    if head[0] == _PICKLE_PROTOCOL:
        return PICKLE
    if head.startswith(FASTTEXT_MAGIC):
        return FASTTEXT
    if head.startswith(ONNX_START):
        return ONNX
    if head.startswith(_NUMPY):
        return PICKLED_ARRAY if _holds_objects(head) else NPY
    return None


def _text_kind(head: bytes) -> Kind | None:
    start = head.lstrip(b" \t\r\n")[:2]
    if start[:1] == b"{" and start[1:] in _UBJSON_MARKERS:
        return UBJSON
    if start[:1] in {b"{", b"["}:
        return JSON
    return WORD_VECTORS if _WORD_VECTORS.match(head) else None


def _foreign_kind(head: bytes) -> Kind | None:
    named = next((kind for magic, kind in _FOREIGN if head.startswith(magic)), None)
    return named or _compressed_kind(head) or (PICKLE if _is_textual_pickle(head) else None)


def _holds_objects(head: bytes) -> bool:
    """Whether the array's dtype, in the header that ends with the first newline, has objects in it."""
    return _OBJECTS.search(head[: head.find(b"\n", 10) + 1 or len(head)]) is not None


_COMPRESSIONS = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x78": "zlib",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x04\x22\x4d\x18": "LZ4",
}


class _Decompressor(Protocol):
    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


def _compressed_kind(head: bytes) -> Kind | None:
    found = next((pair for pair in _COMPRESSIONS.items() if head.startswith(pair[0])), None)
    if found is None:
        return None
    inner = _first_bytes(found[1], head)
    if inner is None and found[1] == "zlib":  # one letter is no signature
        return None
    if inner and _kind(inner).pickle:
        return COMPRESSED_PICKLE
    return Kind(f"compressed by {found[1]}", remedy="deploy the file that is in it")


def _first_bytes(compression: str, head: bytes) -> bytes | None:
    """What the first bytes of a compressed file unpack to, or None when they do not."""
    import bz2
    import lzma

    decompressors: dict[str, _Decompressor] = {
        "gzip": zlib.decompressobj(31),
        "zlib": zlib.decompressobj(),
        "bzip2": bz2.BZ2Decompressor(),
        "xz": lzma.LZMADecompressor(),
    }
    try:
        return decompressors[compression].decompress(head, 1024)
    except (KeyError, zlib.error, OSError, EOFError, lzma.LZMAError):
        return None


def _is_textual_pickle(head: bytes) -> bool:
    """Whether `head` reads as a pickle of protocol 0 or 1 to its end, or to where it was cut."""
    import pickletools

    position, count = 0, 0
    stream = io.BytesIO(head)
    try:
        for operation, _, place in pickletools.genops(stream):
            position, count = place or 0, count + 1
            if operation.name == "STOP":
                return not head[position + 1 :].strip()
    except ValueError:
        return len(head) == HEAD and count > 2 and position > HEAD - 4096
    return False


def _zip_kind(file: Path) -> Kind:
    import zipfile

    try:
        with zipfile.ZipFile(file) as archive:
            return _zip_content_kind(archive)
    except PermissionError:
        raise
    except (zipfile.BadZipFile, zlib.error, OSError, EOFError, ValueError, RuntimeError):
        return Kind("a damaged zip archive", remedy="deploy the model's archive again")


def _zip_content_kind(archive: ZipFile) -> Kind:
    members = archive.infolist()
    if any(name.endswith((".pkl", ".pickle")) for name in (member.filename for member in members)):
        return ZIPPED_PICKLE
    kinds = []
    for member in members[:1000]:
        with archive.open(member) as content:
            kinds.append(_kind(content.read(4096)))
    if any(kind.pickle for kind in kinds):
        return PICKLED_ARRAY if PICKLED_ARRAY in kinds else ZIPPED_PICKLE
    if not members or any(kind is not NPY for kind in kinds) or len(members) > len(kinds):
        return Kind("a zip archive")
    if sum(member.file_size for member in members) > max(LITTLE, HOLLOW * sum(m.compress_size for m in members)):
        return Kind("an npz file that unpacks to many times its size")
    return NPZ
