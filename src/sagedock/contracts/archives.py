"""Model archives (model.tar.gz): hostile input, checked whole before anything is written."""

from __future__ import annotations

import gzip
import os
import shutil
import tempfile
import unicodedata
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from sagedock.contracts.files import explain
from sagedock.contracts.signatures import FASTTEXT_MAGIC
from sagedock.contracts.tar import Member, Tar, TarError
from sagedock.errors import ModelError, PlatformError

GIBIBYTE = 1 << 30
LONGEST_NAME, LONGEST_PART = 1024, 255
"""Bytes of a member's whole name, and of each part of it (API: S3ModelDataSource refuses longer parts)."""
DEEPEST = 32
_GRAIN = 512
_NOTHING = bytes(_GRAIN)
"""So many zeros in a row, beginning at a multiple of their number, are rows that were never trained."""
_GZIP = b"\x1f\x8b"
_COMPRESSIONS = {
    b"BZh": "bzip2",
    b"\xfd7zXZ": "xz",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    b"\x04\x22\x4d\x18": "LZ4",
    b"PK": "zip",
    b"7z\xbc\xaf": "7-Zip",
}
_PACK = "pack the model again: tar --dereference -czf model.tar.gz -C DIRECTORY ."


@dataclass(frozen=True)
class Limits:
    """What an archive may unpack to.

    `ratio` is bytes unpacked for each byte of the archive; it counts from `free_bytes` on, since a small archive of
    zeros is no harm. Zeros in fastText's models do not count: there the rows of buckets that no text had are zeros,
    hundreds of megabytes of them in a small model, and they are mapped into memory rather than read.
    """

    size_bytes: int = 20 * GIBIBYTE
    members: int = 10_000
    ratio: int = 100
    free_bytes: int = 64 << 20


def unpack(archive: Path, directory: Path, limits: Limits | None = None) -> None:
    """Unpack `archive`, a tar gzipped or plain, to `directory`, which must be absent or empty; whole or not at all.

    Every member is checked before the first is written. Files come out as 0644 and directories as 0755, owned by the
    caller. Raises ModelError naming the member and what is wrong with it, and PlatformError when the disk refuses.
    """
    bounds = limits or Limits()
    needed = _size(archive, bounds)
    _require_room(directory, needed)
    try:
        temporary = Path(tempfile.mkdtemp(prefix=f".{directory.name}.", dir=directory.parent))
    except OSError as error:
        raise explain(error, directory) from error
    try:
        with _read_errors(archive):
            _write(archive, temporary, bounds)
        temporary.replace(directory)
    except OSError as error:
        raise explain(error, directory) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _size(archive: Path, limits: Limits) -> int:
    """Bytes that the members take, all of them checked."""
    try:
        if not archive.is_file():
            raise ModelError(f"cannot unpack {archive}: there is no such file; name a model.tar.gz")
        with _read_errors(archive):
            return sum(member.size for _, member, _ in _checked(archive, limits))
    except OSError as error:
        raise ModelError(f"cannot read {archive}: {error.strerror}; make it readable to this user") from error


def _write(archive: Path, directory: Path, limits: Limits) -> None:
    for path, member, tar in _checked(archive, limits):
        place = directory / path
        folder = place if member.directory else place.parent
        folder.mkdir(parents=True, exist_ok=True)
        if not member.directory:
            with place.open("xb") as file:
                file.writelines(tar.content())
            place.chmod(0o644)
    for folder in (directory, *(path for path in directory.rglob("*") if path.is_dir())):
        folder.chmod(0o755)


def _checked(archive: Path, limits: Limits) -> Iterator[tuple[PurePosixPath, Member, Tar]]:
    """Each member with the path it unpacks to; raises TarError, or what reading raises."""
    names = _Names(limits.members)
    total = 0
    with archive.open("rb") as file:
        source = _Source(file, limits)
        tar = Tar(source)
        for member in tar:
            path = names.add(member)
            total += member.size
            source.begin(member.size)
            if total > limits.size_bytes:
                raise TarError(
                    f"member {member.name!r} of {member.size} bytes takes the archive above {limits.size_bytes} bytes"
                )
            yield path, member, tar
    if not names.files:
        raise TarError("holds no file")


@dataclass
class _Names:
    """The names seen so far, as a file system that ignores case and normal forms would tell them apart."""

    most: int
    files: dict[str, str] = field(default_factory=dict)
    directories: dict[str, str] = field(default_factory=dict)
    count: int = 0

    def add(self, member: Member) -> PurePosixPath:
        """The path of `member`; raises TarError for one that cannot be unpacked beside those before it."""
        self.count += 1
        if self.count > self.most:
            raise TarError(f"has more than {self.most} members")
        if member.other is not None:
            raise TarError(f"member {member.name!r} is {member.other}; only files and directories are unpacked")
        path = _safe_path(member)
        for parent in [*path.parents, path] if member.directory else path.parents:
            self._add_directory(str(parent), member)
        if not member.directory:
            self._add_file(str(path), member)
        return path

    def _add_directory(self, name: str, member: Member) -> None:
        key = _folded(name)
        if key in self.files:
            raise TarError(f"member {member.name!r} makes {self.files[key]!r} both a file and a directory")
        _require_same(member, name, self.directories.setdefault(key, name))

    def _add_file(self, name: str, member: Member) -> None:
        key = _folded(name)
        if key in self.directories:
            raise TarError(f"member {member.name!r} makes {self.directories[key]!r} both a file and a directory")
        if key in self.files:
            _require_same(member, name, self.files[key])
            raise TarError(f"member {member.name!r} occurs twice")
        self.files[key] = name


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()


def _require_same(member: Member, name: str, earlier: str) -> None:
    if name != earlier:
        raise TarError(f"member {member.name!r} differs from {earlier!r} in case or in the coding of accents only")


def _safe_path(member: Member) -> PurePosixPath:
    """Where the member goes, relative to the directory; `./` in front is no harm."""
    name = member.name
    complaint = None if member.directory and name in {"", "/"} else _complaint(name)  # what tarfile calls the top
    if complaint is not None:
        raise TarError(f"member {name[:LONGEST_PART]!r} {complaint}")
    path = PurePosixPath(name.lstrip("/"))
    if not path.parts and not member.directory:
        raise TarError(f"member {name!r} is a file without a name")
    if member.directory and member.size:
        raise TarError(f"member {name!r} is a directory with {member.size} bytes of content")
    return path


def _complaint(name: str) -> str | None:
    if name.startswith("/"):
        return "has an absolute name"
    parts = name.split("/")
    checks = {
        "has no name": not name,
        "leaves the directory by ..": ".." in parts,
        "has a NUL or another control character in its name": any(ord(c) < 32 or ord(c) == 127 for c in name),
        "has a backslash in its name": "\\" in name,
        "has a name that is not UTF-8": any("\udc80" <= c <= "\udcff" for c in name),
    }
    found = next((text for text, wrong in checks.items() if wrong), None)
    if found is not None:
        return found
    if len(name.encode()) > LONGEST_NAME or any(len(part.encode()) > LONGEST_PART for part in parts):
        return f"has a name above {LONGEST_NAME} bytes, or a part of it above {LONGEST_PART}"
    return f"lies more than {DEEPEST} directories deep" if len(parts) > DEEPEST + 1 else None


class _Source:
    """The archive's bytes, gunzipped where it is gzipped, and never more of them than the limits allow."""

    def __init__(self, file: BinaryIO, limits: Limits) -> None:
        start = file.read(8)
        file.seek(0)
        compression = next((name for magic, name in _COMPRESSIONS.items() if start.startswith(magic)), None)
        if compression is not None:
            raise TarError(f"is compressed by {compression}, not gzip")
        self._gzipped = start.startswith(_GZIP)
        self._stream: BinaryIO = gzip.GzipFile(fileobj=file, mode="rb") if self._gzipped else file  # type: ignore[assignment]
        self._packed = packed = os.fstat(file.fileno()).st_size
        self._most = limits.size_bytes + limits.free_bytes
        self._ratio = max(limits.free_bytes, limits.ratio * packed) if self._gzipped else self._most
        self._ratio_text = f"{limits.ratio} times its own {packed} bytes"
        self._taken = 0
        self._begins = self._hollow = False
        self._left = 0

    def begin(self, size: int) -> None:
        """What is read next are the `size` bytes of a member."""
        self._begins, self._left = True, size

    def skip(self, size: int) -> int:
        if not self._gzipped:
            here = self._stream.tell()
            self._stream.seek(min(here + size, self._packed))
            return self._stream.tell() - here
        left = size
        while left and (piece := self.read(min(left, 1 << 18))):
            left -= len(piece)
        return size - left

    def read(self, size: int) -> bytes:
        self._taken += size
        if self._taken > self._ratio:
            raise TarError(f"unpacks to more than {self._ratio_text}")
        if self._taken > self._most:
            raise TarError(f"unpacks to more than {self._most} bytes")
        pieces = []
        while size and (piece := self._stream.read(size)):
            pieces.append(piece)
            size -= len(piece)
        whole = b"".join(pieces)
        if self._left:
            self._taken -= self._spared(whole)
        return whole

    def _spared(self, piece: bytes) -> int:
        """How many bytes of a member's piece do not count."""
        if self._begins:
            self._begins, self._hollow = False, piece.startswith(FASTTEXT_MAGIC)
        within, self._left = piece[: self._left], max(self._left - len(piece), 0)
        if not self._hollow:
            return 0
        return _GRAIN * sum(within[at : at + _GRAIN] == _NOTHING for at in range(0, len(within), _GRAIN))


@contextmanager
def _read_errors(archive: Path) -> Iterator[None]:
    """What goes wrong with the archive itself, as a ModelError with its name and the remedy."""
    try:
        yield
    except TarError as error:
        raise ModelError(f"cannot unpack {archive}: it {error}; {_PACK}".replace(": it member", ": member")) from error
    except EOFError as error:
        raise ModelError(f"cannot unpack {archive}: it is truncated; copy it again whole") from error
    except (gzip.BadGzipFile, zlib.error) as error:
        raise ModelError(f"cannot unpack {archive}: it is damaged, or has data after its end ({error}); {_PACK}") from (
            error
        )


def _require_room(directory: Path, needed: int) -> None:
    if directory.is_symlink() or (directory.exists() and (not directory.is_dir() or any(directory.iterdir()))):
        raise PlatformError(f"cannot unpack a model to {directory}: it exists and is not an empty directory")
    with suppress(OSError):
        free = shutil.disk_usage(directory.parent).free
        if free < needed:
            raise PlatformError(
                f"cannot unpack a model to {directory}: it needs {needed} bytes and {free} are free there: free some "
                "space or choose a larger disk"
            )
