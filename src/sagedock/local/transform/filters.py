"""InputFilter and OutputFilter: the subset of JSONPath that Batch Transform documents, read by a JSONPath library.

The subset: `$`, `.name`, `['a']`, `['a','b']`, `*`, `[n]`, `[n,m]`, `[s:e]`; several names or indices only at the end.
A path to one value gives that value, several names give an object of them, and everything else an array.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sagedock.errors import UserError

if TYPE_CHECKING:
    from jsonpath import JSONPath
    from jsonpath.selectors import JSONPathSelector

LONGEST = 63
ALLOWED = "$, .name, ['a'], ['a','b'], *, [n], [n,m], [s:e], [s:] and [:e]"


class Filter:
    """A compiled path. Raises UserError naming `field` for what is not in the subset, and without the library."""

    def __init__(self, text: str, field: str, *, rows: bool) -> None:
        """`rows` says that the records are rows of CSV, which have positions and no names."""
        self._text, self._field = text, field
        self._paths, self._selectors = self._compiled()
        self._several = len(self._paths) > 1
        self.columns = lru_cache(maxsize=64)(self._columns)
        if rows:
            self._refuse_names()

    def apply(self, value: Any) -> Any:
        """What the path selects from a JSON value; raises UserError when something it names is not there."""
        found = [path.findall(value) for path in self._paths]
        if not all(found):
            missing = self._paths[next(index for index, values in enumerate(found) if not values)]
            raise UserError(f"{self._field} {self._text!r}: nothing is at {missing} of the record", field=self._field)
        if not self._several:
            return found[0] if self._indefinite(0) else found[0][0]
        if len({len(values) for values in found}) > 1:
            raise UserError(f"{self._field} {self._text!r}: a record lacks one of the names", field=self._field)
        merged = [self._merged(values) for values in zip(*found, strict=True)]
        return merged if self._indefinite(0, prefix=True) else merged[0]

    def _columns(self, width: int) -> list[int]:
        """The positions, from 0, that the path selects from a row of `width` cells; remembered for each width."""
        try:
            selected = self.apply(list(range(width)))
        except UserError as error:
            message = f"{self._field} {self._text!r} reaches beyond the row, which has {width} columns"
            raise UserError(message, field=self._field) from error
        return selected if isinstance(selected, list) else [selected]

    def _merged(self, values: Sequence[Any]) -> Any:
        names = [getattr(selector, "name", None) for selector in self._selectors[-1]]
        return dict(zip(names, values, strict=True)) if names[0] is not None else list(values)

    def _indefinite(self, path: int, *, prefix: bool = False) -> bool:
        segments = self._paths[path].segments[:-1] if prefix else self._paths[path].segments
        return any(_kind(selector) in {"Slice", "Wildcard"} for segment in segments for selector in segment.selectors)

    def _compiled(self) -> tuple[list[JSONPath], list[tuple[JSONPathSelector, ...]]]:
        try:
            from jsonpath import JSONPath, JSONPathEnvironment
            from jsonpath.exceptions import JSONPathError
            from jsonpath.segments import JSONPathChildSegment
        except ImportError as error:
            message = f"{self._field} needs the package python-jsonpath: pip install 'sagedock[local]'"
            raise UserError(message, field=self._field) from error
        self._refuse_form()
        environment = JSONPathEnvironment(strict=True)
        try:
            whole = environment.compile(re.sub(r"\.(?=\[)", "", self._text))  # the guide writes $.a.['b','c']
        except JSONPathError as error:
            raise self._outside(str(error).splitlines()[0]) from error
        if not isinstance(whole, JSONPath):
            raise self._outside("paths cannot be combined")
        if not all(isinstance(segment, JSONPathChildSegment) for segment in whole.segments):
            raise self._outside("no descent with ..")
        selectors = [segment.selectors for segment in whole.segments]
        self._refuse_selectors(selectors)
        if not selectors or len(selectors[-1]) == 1:
            return [whole], selectors
        last = whole.segments[-1]
        ends = [JSONPathChildSegment(env=environment, token=last.token, selectors=(one,)) for one in last.selectors]
        return [JSONPath(env=environment, segments=[*whole.segments[:-1], end]) for end in ends], selectors

    def _refuse_form(self) -> None:
        if len(self._text) > LONGEST:
            message = f"{self._field} has {len(self._text)} characters: SageMaker allows {LONGEST}"
            raise UserError(message, field=self._field)
        if not self._text.startswith("$"):
            raise self._outside("it must begin with $")

    def _refuse_selectors(self, segments: Sequence[Sequence[JSONPathSelector]]) -> None:
        for position, selectors in enumerate(segments, start=1):
            kinds = {_kind(selector) for selector in selectors}
            if kinds - {"Name", "Index", "Slice", "Wildcard"}:
                raise self._outside(f"{', '.join(map(str, selectors))} is another operator")
            if len(selectors) > 1 and (len(kinds) > 1 or kinds - {"Name", "Index"}):
                raise self._outside("a list holds names only, or indices only")
            if len(selectors) > 1 and position < len(segments):
                raise self._outside("several names or indices end the path")
            if any(getattr(selector, "slice", slice(None)).step is not None for selector in selectors):
                raise self._outside("a slice has no step")

    def _refuse_names(self) -> None:
        kinds = {_kind(selector) for selectors in self._selectors for selector in selectors}
        if "Name" in kinds or len(self._selectors) > 1:
            raise self._outside("a row of CSV has positions only, as in $[1:]")

    def _outside(self, reason: str) -> UserError:
        return UserError(
            f"{self._field} is {self._text!r} ({reason}): Batch Transform documents {ALLOWED}", field=self._field
        )


def _kind(selector: JSONPathSelector) -> str:
    return type(selector).__name__.removesuffix("Selector")
