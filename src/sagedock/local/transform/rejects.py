"""`<name>.rejects.jsonl`: the records that were left out, each with its place and the reason. An addition of ours."""

from __future__ import annotations

import base64
import json

from sagedock.local.transform.batching import Refused


def line(address: str, refused: Refused) -> bytes:
    """One line of the file; a record that is no UTF-8 text is in base64, one that was too long is left out."""
    entry = {
        "file": address,
        "record_number": refused.number,
        "code": refused.code,
        "message": refused.message,
        **_record(refused.record),
    }
    return json.dumps(entry, ensure_ascii=False).encode() + b"\n"


def _record(record: bytes | None) -> dict[str, str | None]:
    if record is None:
        return {"record": None}
    try:
        return {"record": record.decode().rstrip("\r\n")}
    except UnicodeDecodeError:
        return {"record_base64": base64.b64encode(record).decode()}
