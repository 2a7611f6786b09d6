"""Turn pictures that lie in a folder for each class into the channels of an image classification job.

    python containers/image-transfer/prepare.py DIRECTORY --data FOLDER [--form folders|list|recordio] [--most N]

FOLDER, or a tar file of it, has a folder of pictures for each class, or two folders `train` and `val` (`validation`,
`test`) that have those. Below DIRECTORY come the channels `train` and `validation` in the form asked for: a folder for
each class; flat folders with the lists `train_lst` and `validation_lst`; or one RecordIO file each. `test` gets the
pictures that are held back, as requests. Pictures are copied as they are.
"""

from __future__ import annotations

import argparse
import random
import sys
import tarfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sagedock.contracts.files import make_directory, replacing, write_bytes, write_text
from sagedock.errors import SagedockError, UserError
from sagedock.formats import image_record, recordio

ENDINGS = (".jpg", ".jpeg", ".png")
FORMS = ("folders", "list", "recordio")
TRAIN, HELD_BACK = "train", ("val", "validation", "valid", "test")
SEED = 1729
TRAIN_SHARE = 0.7
CLASSES_TOLD = 4


@dataclass(frozen=True)
class Picture:
    """The content of a picture's file, and where it lay: in which part, such as `train`, and in which class."""

    part: str
    kind: str
    name: str
    content: bytes


@dataclass(frozen=True)
class Split:
    """What is learnt from, what epochs are judged on, and what is held back until the end."""

    train: Sequence[Picture]
    validation: Sequence[Picture]
    test: Sequence[Picture]

    @property
    def classes(self) -> list[str]:
        """Their names; the place of a name is its number."""
        return sorted({picture.kind for picture in self.train})


def read(source: Path) -> list[Picture]:
    """The pictures of a folder or a tar file, by their paths. Raises UserError unless there are classes of them."""
    files = _files_of(source) if source.is_dir() else _members_of(source)
    found = sorted(
        (_picture(path, content) for path, content in files), key=lambda each: (each.part, each.kind, each.name)
    )
    kinds = {picture.kind for picture in found}
    if len(kinds) < 2:
        raise UserError(
            f"{source} has {len(found)} pictures ({', '.join(ENDINGS)}) of {len(kinds)} classes: give at least two "
            "folders of pictures, named by their classes"
        )
    return found


def _files_of(folder: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    for file in folder.rglob("*"):
        if file.suffix.lower() in ENDINGS and file.is_file():
            yield PurePosixPath(file.relative_to(folder).as_posix()), file.read_bytes()


def _members_of(file: Path) -> Iterator[tuple[PurePosixPath, bytes]]:
    try:
        with tarfile.open(file) as archive:
            for member in archive:
                path = PurePosixPath(member.name)
                content = archive.extractfile(member) if path.suffix.lower() in ENDINGS else None
                if content is not None:
                    yield path, content.read()
    except OSError as error:
        raise UserError(f"cannot read {file}: {error.strerror}") from error
    except tarfile.TarError as error:
        raise UserError(f"{file} is no folder, and no tar archive either") from error


def _picture(path: PurePosixPath, content: bytes) -> Picture:
    if len(path.parts) < 2 or ".." in path.parts:
        raise UserError(f"{path} lies in no folder, and the folder's name is the class: put it into one")
    if set("\t\r\n") & set(path.name):
        raise UserError(f"{str(path)!r} has a tab or the end of a line in its name: call it otherwise")
    part = path.parts[-3] if len(path.parts) > 2 else ""
    return Picture(part, path.parts[-2], path.name, content)


def split(pictures: Sequence[Picture], most: int | None = None) -> Split:
    """By the folders `train` and `val` where there are such, else 70 percent are learnt from; at most `most` of each.

    The others are shuffled with the seed 1729, and one half is to judge epochs, the other to be held back.
    """
    shuffled = list(pictures)
    random.Random(SEED).shuffle(shuffled)  # noqa: S311 - a split, no secret
    rest = [picture for picture in shuffled if picture.part in HELD_BACK]
    train = [picture for picture in shuffled if picture.part not in HELD_BACK]
    if not rest:
        cut = int(TRAIN_SHARE * len(train))
        train, rest = train[:cut], train[cut:]
    half = -(-len(rest) // 2)
    parts = Split(train[:most], rest[:half][:most], rest[half:][:most])
    for name in ("train", "validation", "test"):
        missing = {picture.kind for picture in pictures} - {picture.kind for picture in getattr(parts, name)}
        if missing:
            raise UserError(f"{name} would have no picture of class {min(missing)}: give each class more pictures")
        (twice, times), *_ = Counter((picture.kind, picture.name) for picture in getattr(parts, name)).most_common(1)
        if times > 1:
            raise UserError(f"{name} would have {times} pictures {'/'.join(twice)}: call them otherwise")
    return parts


def write(parts: Split, directory: Path, form: str) -> None:
    """The channels in that form, and the pictures held back."""
    for name in ("train", "validation"):
        pictures: Sequence[Picture] = getattr(parts, name)
        channel = make_directory(directory / name)
        if form == "folders":
            for picture in pictures:
                write_bytes(make_directory(channel / picture.kind) / picture.name, picture.content)
            continue
        write_text(channel / "classes.txt", "".join(f"{kind}\n" for kind in parts.classes))
        if form == "list":
            _write_list(parts, pictures, channel, make_directory(directory / f"{name}_lst") / f"{name}.lst")
        else:
            _write_records(parts, pictures, channel / f"{name}.rec")
    for picture in parts.test:
        write_bytes(make_directory(directory / "test") / _flat(picture), picture.content)


def _flat(picture: Picture) -> str:
    """A name that tells the class, so that answers can be judged."""
    return f"{picture.kind}-{picture.name}"


def _write_list(parts: Split, pictures: Sequence[Picture], channel: Path, file: Path) -> None:
    for picture in pictures:
        write_bytes(channel / _flat(picture), picture.content)
    lines = (
        f"{number}\t{parts.classes.index(picture.kind)}\t{_flat(picture)}\n" for number, picture in enumerate(pictures)
    )
    write_text(file, "".join(lines))


def _write_records(parts: Split, pictures: Sequence[Picture], file: Path) -> None:
    with replacing(file) as temporary, temporary.open("wb") as stream:
        for number, picture in enumerate(pictures):
            label = parts.classes.index(picture.kind)
            stream.write(recordio.frame(image_record.packed([label], picture.content, number)))


def prepare(source: Path, directory: Path, form: str = "folders", most: int | None = None) -> Split:
    """Read, split and write: the whole preparation, each file whole."""
    parts = split(read(source), most)
    write(parts, directory, form)
    return parts


def summary(parts: Split) -> str:
    """The sizes of the three parts and of their classes, one line each."""
    lines = []
    for name in ("train", "validation", "test"):
        pictures: Sequence[Picture] = getattr(parts, name)
        counts = Counter(picture.kind for picture in pictures)
        told = ", ".join(f"{counts[kind]} {kind}" for kind in parts.classes)
        if len(parts.classes) > CLASSES_TOLD:
            told = f"{len(parts.classes)} classes of {min(counts.values())} to {max(counts.values())}"
        lines.append(f"{name:<10} {len(pictures):>6,} pictures: {told}")
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("directory", type=Path, help="where the channels are written")
    parser.add_argument("--data", type=Path, required=True, help="a folder for each class, or a tar file of them")
    parser.add_argument("--form", choices=FORMS, default="folders", help="how the channels hold pictures and classes")
    parser.add_argument("--most", type=int, help="take at most so many pictures for each part, for a quick look")
    options = parser.parse_args()
    try:
        sys.stdout.write(summary(prepare(options.data, options.directory, options.form, options.most)) + "\n")
    except SagedockError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
