"""Pages of a long list of names, and the tokens that ask for the next page."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from sagedock.errors import UserError

LARGEST_PAGE = 100


def page_size(limit: str | None) -> int:
    """Names on a page: `limit`, or the largest page without one. Raises UserError unless it is from 1 to 100."""
    if limit is None:
        return LARGEST_PAGE
    value = int(limit) if limit.isascii() and limit.isdigit() and len(limit) <= 3 else 0
    if not 1 <= value <= LARGEST_PAGE:
        raise UserError(f"limit is {limit[:40]!r}, not a whole number from 1 to {LARGEST_PAGE}", field="limit")
    return value


def token_after(name: str) -> str:
    """The token of the page that begins behind `name`.

    It names a place in the order, not a number of names to skip, so that no name is missed or told twice when others
    come and go between two pages. A checksum tells it from text that is no token.
    """
    content = name.encode()
    return urlsafe_b64encode(binascii.crc32(content).to_bytes(4, "big") + content).decode()


def name_before(token: str) -> str:
    """The name that `token` stands behind. Raises UserError for a text that is no token."""
    try:
        name = urlsafe_b64decode(token.encode("ascii"))[4:].decode()
    except ValueError:
        name = ""
    if not name or token_after(name) != token:
        raise UserError(
            f"next_page_token is {token[:80]!r}, which no answer of GET /models gave: leave it out to begin anew",
            field="next_page_token",
        )
    return name
