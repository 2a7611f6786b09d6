"""From channels to texts: the bytes that the vocabulary is read from, and never more than a block of them in memory."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson

from sagedock.algorithms.blazingtext.corpus import blocks
from sagedock.algorithms.blazingtext.dictionary import LABEL_PREFIX, tokens_of
from sagedock.contracts.channels import Channel, Source
from sagedock.errors import UserError
from sagedock.formats import recordio
from sagedock.formats.media_types import PLAIN_TEXT, RECORDIO_WRAPPED, parse_media_type

log = logging.getLogger(__name__)

MEBIBYTE = 1 << 20
_LINES_AT_ONCE = 4096
_SPACES = bytes.maketrans(b"\n\r", b"  ")


def read(channel: Channel) -> Iterator[Iterator[bytes]]:
    """The texts of a channel one after the other, each in blocks, to be read in this order and once.

    Of an augmented manifest the lines are made: `__label__1 __label__3 source`. Raises UserError for whatever cannot
    be read, naming the file and the record.
    """
    if parse_media_type(channel.content_type or PLAIN_TEXT).essence == RECORDIO_WRAPPED:
        for source in channel.sources():
            _tell(source)
            yield _labelled(source)
        return
    sources = channel.sources()
    for source in sources:
        _tell(source)
    for source in recordio.unwrapped(sources) if channel.record_wrapper == "RecordIO" else sources:
        with source.open() as stream:
            yield blocks(stream)


def described(channel: Channel) -> str:
    """What the log calls the channel's data: its only file, else its directory."""
    files = channel.files() if channel.input_mode == "File" else []
    return str(files[0] if len(files) == 1 else channel.path)


def _tell(source: Source) -> None:
    if source.path is None:
        log.info("Processing %s", source.name)
        return
    log.info("Processing %s . File size: %g MB", source.path, source.path.stat().st_size / MEBIBYTE)


def _labelled(source: Source) -> Iterator[bytes]:
    """Lines of text from alternating records: the source's text, and its label or list of labels as JSON."""
    lines: list[bytes] = []
    text = None
    with source.open() as stream:
        for number, record in enumerate(recordio.read(stream, source.name), start=1):
            if text is None:
                text = record.payload.translate(_SPACES)
                continue
            lines.append(b"%b %b\n" % (_labels(record.payload, source, number), text))
            text = None
            if len(lines) == _LINES_AT_ONCE:
                yield b"".join(lines)
                lines = []
    yield b"".join(lines)
    if text is not None:
        raise UserError(
            f"{source.name} ends with a source that no label follows: AttributeNames must be the text and then its "
            'label, such as ["source", "label"], and every line of the manifest must have both'
        )


def _labels(payload: bytes, source: Source, number: int) -> bytes:
    """The labels as they stand in a line of text: `1` becomes `__label__1`."""
    try:
        value = orjson.loads(payload)
    except orjson.JSONDecodeError:
        value = payload.decode("utf-8", "replace").strip()
    found = value if isinstance(value, list) else [value]
    texts = [label if isinstance(label, str) else str(label) for label in found if _is_label(label)]
    if len(texts) < len(found) or not texts:
        shown = payload[:60].decode("utf-8", "replace")
        raise UserError(
            f"{source.name}, record {number}: the label is {shown!r}, and a label is a whole number, a word or a list "
            "of these: check the order of AttributeNames, which must be the text and then its label",
            field="label",
        )
    return b" ".join(LABEL_PREFIX + text.removeprefix(LABEL_PREFIX.decode()).encode() for text in texts)


def _is_label(value: object) -> bool:
    """A whole number, or a word that is one token."""
    if isinstance(value, str):
        return tokens_of(value.encode()) == [value.encode()]
    return isinstance(value, int) and not isinstance(value, bool)
