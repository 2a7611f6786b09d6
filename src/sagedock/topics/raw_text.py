"""Raw text of a channel: a document a line, or JSON Lines whose `text` is one. Never more than a block is in memory."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Iterator
from typing import Any

import orjson

from sagedock.contracts.channels import Channel, Source
from sagedock.errors import UserError
from sagedock.formats import instances, recordio
from sagedock.formats.media_types import JSON_LINES, PLAIN_TEXT, parse_media_type

TYPES = (PLAIN_TEXT, JSON_LINES)
LONGEST_LINE = 64 << 20
"""Bytes of one document."""
_BLOCK = 1 << 22
_KINDS = {list: "a list", str: "text", bool: "true or false", type(None): "null"}


def holds_text(channel: Channel) -> bool:
    """Whether the channel is declared as raw text."""
    return channel.content_type is not None and parse_media_type(channel.content_type).essence in TYPES


def read(channel: Channel) -> Iterator[str]:
    """The documents of a channel, to be read once: blocks of whole lines, a document each, all with a line feed.

    An empty line of plain text is an empty document; among JSON Lines it is none. Raises UserError naming the file and
    the line of what is not UTF-8, no object with a text, or too long.
    """
    lined = parse_media_type(channel.content_type or PLAIN_TEXT).essence == JSON_LINES
    for source in _sources(channel):
        for first, block in _blocks(source):
            text = _decoded(block, source, first)
            yield _texts(text, source, first) if lined else text


def _sources(channel: Channel) -> Iterable[Source]:
    sources = channel.sources()
    return recordio.unwrapped(sources) if channel.record_wrapper == "RecordIO" else sources


def _blocks(source: Source) -> Iterator[tuple[int, bytes]]:
    """Whole lines of a source, and the number of the first of them, from 1."""
    line, held, size = 1, [b""], 0
    with source.open() as stream:
        while block := stream.read(_BLOCK):
            end = block.rfind(b"\n") + 1
            if not end:
                held.append(block)
                size += len(block)
                if size > LONGEST_LINE:
                    raise UserError(
                        f"{source.name}, line {line}: more than {LONGEST_LINE >> 20} MiB without a line feed: give one "
                        "document a line, long ones in parts",
                        row=line,
                    )
                continue
            whole = b"".join([*held, block[:end]])
            yield line, whole
            line += whole.count(b"\n")
            held, size = [block[end:]], len(block) - end
    if last := b"".join(held):
        yield line, last + b"\n"


def _decoded(block: bytes, source: Source, first: int) -> str:
    if first == 1:
        block = block.removeprefix(codecs.BOM_UTF8)
    try:
        return block.decode()
    except UnicodeDecodeError as error:
        line = first + block.count(b"\n", 0, error.start)
        column = error.start - block.rfind(b"\n", 0, error.start)
        raise UserError(
            f"{source.name}, line {line}: byte {column} is 0x{block[error.start]:02x}, which is not UTF-8: save the "
            "text in UTF-8",
            row=line,
        ) from error


def _texts(block: str, source: Source, first: int) -> str:
    """The texts of lines of JSON, a line each."""
    found = []
    for number, line in enumerate(block.removesuffix("\n").split("\n"), start=first):
        if line and not line.isspace():
            found.append(_text(line, f"{source.name}, line {number}", number))
    return "".join(found)


def _text(line: str, place: str, number: int) -> str:
    try:
        value: Any = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise UserError(
            f'{place} is not JSON ({instances.fault(error)}): give lines such as {{"text": "..."}}', row=number
        ) from error
    if not isinstance(value, dict) or not isinstance(value.get("text"), str):
        what = "an object without a text named text" if isinstance(value, dict) else _KINDS.get(type(value), "a number")
        raise UserError(f'{place}: expected {{"text": "..."}}, got {what}', field="text", row=number)
    return f"{value['text'].replace(chr(10), ' ')}\n"
