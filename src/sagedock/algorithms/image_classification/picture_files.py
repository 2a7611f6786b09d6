"""Files of pictures: by which names they are known, and their content."""

from __future__ import annotations

from pathlib import Path

from sagedock.errors import UserError

ENDINGS = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".gif", ".bmp", ".webp")
LARGEST_BYTES = 1 << 29
"""As much as a RecordIO record may hold."""


def is_picture(path: Path) -> bool:
    """Whether the name ends as those of pictures do, in any case."""
    return path.suffix.lower() in ENDINGS


def check(path: Path, place: str) -> None:
    """Raise UserError naming `place` where no file of a picture's size can be read."""
    try:
        found = path.stat()
    except OSError as error:
        raise unreadable(place, error) from error
    if not path.is_file():
        raise UserError(f"{place}: is no file, and a picture is expected there")
    if not 0 < found.st_size < LARGEST_BYTES:
        raise UserError(f"{place}: has {found.st_size} bytes, and a picture's file has from 1 byte to 512 MiB")


def content(path: Path, place: str) -> bytes:
    """The file's bytes. Raises UserError naming `place`."""
    check(path, place)
    try:
        return path.read_bytes()
    except OSError as error:
        raise unreadable(place, error) from error


def unreadable(place: str, error: OSError) -> UserError:
    """The error that a picture cannot be read, and why."""
    return UserError(
        f"{place}: cannot read the picture: {error.strerror}: put the file there and let this user read it"
    )
