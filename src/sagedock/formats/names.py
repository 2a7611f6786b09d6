"""Names that a report uses: one line of text for each column, or each row, of the data."""

from __future__ import annotations

from sagedock.contracts.channels import Channel
from sagedock.errors import UserError


def read(channel: Channel, count: int, what: str, *, once: bool = True) -> list[str]:
    """The lines of the channel's file, one for each of `count` things, such as feature columns (`what`).

    Raises UserError when they are more or fewer or, where each name may stand only `once`, when one stands twice.
    """
    source = channel.sources()[0]
    with source.open() as stream:
        text = stream.read().decode("utf-8", errors="replace")
    names = [line.strip() for line in text.splitlines() if line.strip()]
    distinct = len(set(names))
    if len(names) != count or (once and distinct < count):
        told = (", each name once", f", {distinct} of them distinct") if once else ("", "")
        raise UserError(
            f"{source.name} must hold one name per line for each of the {count} {what}{told[0]}; it holds "
            f"{len(names)} names{told[1]}",
            field=channel.name,
        )
    return names
