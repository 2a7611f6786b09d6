"""Request bodies of /invocations: bytes and media type to a Table, a pure function."""

from __future__ import annotations

from sagedock.errors import UnsupportedMediaType
from sagedock.formats import csv, instances, libsvm
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, LIBSVM, PARQUET, RECORDIO, MediaType
from sagedock.formats.rows import require_present
from sagedock.formats.table import Table

REQUEST_TYPES = (CSV, LIBSVM, JSON, JSON_LINES, PARQUET, RECORDIO)

_CHARSETS = {"utf-8", "utf8", "us-ascii", "ascii"}


def decode(body: bytes, media_type: MediaType) -> Table:
    """The records of `body`, without labels.

    Raises UserError with the row and what is wrong with it, and UnsupportedMediaType for a type that is not read.
    """
    require_utf8(media_type)
    if media_type.essence == CSV:
        return csv.decode(body, media_type)
    if media_type.essence == JSON:
        return instances.decode(body)
    if media_type.essence == JSON_LINES:
        return instances.decode_lines(body)
    if media_type.essence == LIBSVM:
        return libsvm.decode(body)
    return _decode_binary(body, media_type)


def decode_fixed(body: bytes, media_type: MediaType, columns: int) -> Table:
    """The records of `body`, every one with a value in each of `columns` columns; 0 where a sparse one has none.

    Raises as `decode` does, and UserError for another width and for a value that is missing.
    """
    require_utf8(media_type)
    if media_type.essence == JSON:
        table = instances.decode(body, columns)
    elif media_type.essence == JSON_LINES:
        table = instances.decode_lines(body, columns)
    elif media_type.essence == RECORDIO:
        from sagedock.formats import records

        table = records.decode(body, columns)
    else:
        table = decode(body, media_type).fitted_to(columns)
    require_present(table.dense)
    return table


def require_utf8(media_type: MediaType) -> None:
    """Raise UnsupportedMediaType for a charset parameter that names another encoding."""
    charset = media_type.parameters.get("charset", "utf-8")
    if charset.lower() not in _CHARSETS:
        raise UnsupportedMediaType(f"the charset {charset!r} is not read: send UTF-8", field="charset")


def _decode_binary(body: bytes, media_type: MediaType) -> Table:
    if media_type.essence == RECORDIO:
        from sagedock.formats import records

        return records.decode(body)
    if media_type.essence == PARQUET:
        from sagedock.formats import parquet

        return parquet.decode(body)
    raise UnsupportedMediaType(f"{media_type.essence!r} is not read: send one of {', '.join(REQUEST_TYPES)}")
