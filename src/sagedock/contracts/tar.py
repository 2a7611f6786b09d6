"""The members of a tar archive, read strictly: nothing is guessed, and nothing is skipped without being looked at.

Formats: POSIX ustar and pax, and GNU's long names (IEEE Std 1003.1, pax; GNU tar manual, "Basic Tar Format").
"""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

BLOCK = 512
LONGEST_EXTENSION = 1 << 20
"""Bytes of a pax header or of a GNU long name; a name has at most 4,096."""
MOST_EXTENSIONS = 8
"""Such headers before one member; GNU tar writes two."""

_OTHER_KINDS = {
    tarfile.LNKTYPE: "a hard link",
    tarfile.SYMTYPE: "a symbolic link",
    tarfile.CHRTYPE: "a character device",
    tarfile.BLKTYPE: "a block device",
    tarfile.FIFOTYPE: "a FIFO",
    tarfile.GNUTYPE_SPARSE: "a sparse file",
    b"D": "a GNU directory dump",
    b"M": "the continuation of another volume",
    b"V": "a volume label",
}
_FILES = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)


class TarError(Exception):
    """The archive is damaged or uses what is not read; its text says so and names the member where there is one."""


class Source(Protocol):
    """Bytes in order."""

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, or fewer at the end only."""

    def skip(self, size: int) -> int:
        """Pass over `size` bytes; returns how many there were."""


@dataclass(frozen=True)
class Member:
    """One member: its name as written, whether it is a directory, and its content's length in bytes.

    `other` says what a member is that is neither file nor directory, and where a link points.
    """

    name: str
    directory: bool
    size: int
    other: str | None = None


class Tar:
    """The members of `source` in their order; `content` is the current member's, and may be left unread."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._left = 0
        self._padding = 0

    def __iter__(self) -> Iterator[Member]:
        """Raises TarError, and whatever `source` raises, at the first thing that is wrong."""
        extensions: dict[str, str] = {}
        in_a_row = 0
        while (header := self._header()) is not None:
            self._left, self._padding = header.size, -header.size % BLOCK
            in_a_row += 1
            if in_a_row > MOST_EXTENSIONS:
                raise TarError(f"has more than {MOST_EXTENSIONS} extension headers in a row")
            if header.type in {tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE}:
                extensions |= _pax(self._whole(header), header.name)
            elif header.type == tarfile.XGLTYPE:
                _refuse_global(_pax(self._whole(header), header.name))
            elif header.type in {tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK}:
                key = "path" if header.type == tarfile.GNUTYPE_LONGNAME else "linkpath"
                extensions[key] = _text(self._whole(header).removesuffix(b"\0"))
            else:
                yield self._member(header, extensions)
                extensions, in_a_row = {}, 0
            self._skip()
        if extensions:
            raise TarError("ends after a header that describes the next member")

    def content(self) -> Iterator[bytes]:
        """The current member's content in pieces of at most 256 KiB."""
        while self._left:
            piece = self._exactly(min(self._left, 1 << 18))
            self._left -= len(piece)
            yield piece

    def _member(self, header: tarfile.TarInfo, extensions: dict[str, str]) -> Member:
        name = extensions.get("path", header.name)
        if "size" in extensions:
            self._left = _size(extensions["size"], name)
            self._padding = -self._left % BLOCK
        if any(key.startswith("GNU.sparse") for key in extensions):
            return Member(name, directory=False, size=self._left, other="a sparse file")
        if header.type in _FILES:
            return Member(name, name.endswith("/"), self._left)
        if header.type == tarfile.DIRTYPE:
            return Member(name, directory=True, size=self._left)
        other = _OTHER_KINDS.get(header.type, f"of the unknown type {header.type!r}")
        if header.type in {tarfile.LNKTYPE, tarfile.SYMTYPE}:
            other = f"{other} to {extensions.get('linkpath', header.linkname)!r}"
        return Member(name, directory=False, size=self._left, other=other)

    def _header(self) -> tarfile.TarInfo | None:
        """The next header, or None at the end of the archive, which two blocks of zeros mark."""
        block = self._source.read(BLOCK)
        if not block:
            raise TarError("is truncated: the blocks that mark its end are missing")
        if not block.strip(b"\0"):
            self._end()
            return None
        if len(block) < BLOCK:
            raise TarError("is truncated inside a header")
        try:
            header = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except tarfile.HeaderError as error:
            raise TarError(f"is no tar archive, or damaged: {error}") from error
        if block[:100].partition(b"\0")[2].strip(b"\0"):
            raise TarError(f"member {header.name!r} has a NUL inside its name")
        if header.size < 0:
            raise TarError(f"member {header.name!r} has the size {header.size}")
        return header

    def _end(self) -> None:
        while piece := self._source.read(1 << 16):
            if piece.strip(b"\0"):
                raise TarError("has data after its end")

    def _whole(self, header: tarfile.TarInfo) -> bytes:
        if self._left > LONGEST_EXTENSION:
            raise TarError(f"member {header.name!r} has a header of {header.size} bytes; at most {LONGEST_EXTENSION}")
        return b"".join(self.content())

    def _skip(self) -> None:
        size, self._left = self._left + self._padding, 0
        if self._source.skip(size) < size:
            raise TarError("is truncated inside a member")

    def _exactly(self, size: int) -> bytes:
        piece = self._source.read(size)
        if len(piece) < size:
            raise TarError("is truncated inside a member")
        return piece


def _pax(content: bytes, name: str) -> dict[str, str]:
    """The records `length key=value\\n` of a pax header."""
    records = {}
    while content.strip(b"\0"):
        available = len(content)
        digits, _, _ = content[:12].partition(b" ")
        length = int(digits) if digits.isdigit() else 0
        record, content = content[len(digits) + 1 : length], content[length:]
        key, equals, value = record.removesuffix(b"\n").partition(b"=")
        if not length or length > available or not record.endswith(b"\n") or not equals:
            raise TarError(f"member {name!r} has a damaged pax header")
        records[_text(key)] = _text(value)
    return records


def _refuse_global(records: dict[str, str]) -> None:
    """A comment (git's) changes nothing; a name or size for every member would."""
    meant = sorted(key for key in records if key in {"path", "size", "linkpath"} or key.startswith("GNU.sparse"))
    if meant:
        raise TarError(f"has a global pax header that sets {', '.join(meant)} for all members")


def _size(text: str, name: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        raise TarError(f"member {name!r} has the size {text!r} in its pax header")
    return int(text)


def _text(content: bytes) -> str:
    return content.decode("utf-8", "surrogateescape")
