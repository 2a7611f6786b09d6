"""Where the directory of a model may lie in a multi-model endpoint."""

from __future__ import annotations

from pathlib import Path

from sagedock.errors import NotFound, UserError

LONGEST_URL = 4096


def located(url: str, root: Path) -> Path:
    """The directory that `url` names, without symbolic links.

    Raises UserError for anything but an absolute path below `root`, and NotFound when no directory is there. What lies
    outside `root` is not looked at, not even for whether it exists.
    """
    if not url.isprintable() or not url.startswith("/") or len(url) > LONGEST_URL:
        raise _outside(url, root)
    try:
        directory, top = Path(url).resolve(), root.resolve()
        inside = directory.is_relative_to(top) and directory != top
        found = inside and directory.is_dir()
    except (OSError, RuntimeError) as error:  # RuntimeError: symbolic links that name each other
        raise UserError(f"url {url!r} cannot be followed: {error}", field="url") from error
    if not inside:
        raise _outside(url, root)
    if not found:
        raise NotFound(f"url {url!r} is no directory: name the one that holds the model's artefacts", field="url")
    return directory


def _outside(url: str, root: Path) -> UserError:
    shown = url if len(url) <= 200 else url[:200] + "…"
    return UserError(f"url is {shown!r}; it must be the absolute path of a directory below {root}", field="url")
