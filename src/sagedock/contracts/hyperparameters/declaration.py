"""What an algorithm declares of its hyperparameters, and the one parser that the declaration drives."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sagedock.contracts.hyperparameters.kinds import Kind, ParseError, RangeError, is_absent, shown, spelled
from sagedock.errors import UserError

REPORT_LIMIT = 900
"""Characters of the whole report: the failure file of a job holds 1,024."""
_LINE_LIMITS = (420, 240, 120)

_TOLERATED_PREFIXES = ("sagemaker_", "sagedock_", "_")
_TOLERATED_NAMES = frozenset({"default_user_module_name"})


@dataclass(frozen=True)
class Parameter:
    """One hyperparameter. `default` is ours; None leaves it to the library, whose own `library_default` tells.

    `tuning` is the range recommended to a tuning job, for documents only. `empty` is the text that an empty one stands
    for, where it does not mean that none is given.
    """

    name: str
    kind: Kind
    description: str
    default: Any = None
    library_default: str = ""
    required: bool = False
    aliases: tuple[str, ...] = ()
    tuning: str = ""
    empty: str = ""


@dataclass(frozen=True, eq=False)
class Values(Mapping[str, Any]):
    """The hyperparameters of one job: everything given or defaulted, by canonical name.

    `given` holds the texts as given, without quotes, for the manifest; parsing it again yields the same values.
    """

    content: Mapping[str, Any]
    given: Mapping[str, str] = field(default_factory=dict)

    def __getitem__(self, name: str) -> Any:
        return self.content[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.content)

    def __len__(self) -> int:
        return len(self.content)


@dataclass(frozen=True)
class Rule:
    """A dependency between hyperparameters.

    `check` yields one line per mistake; it is called only when none of `inputs` is at fault itself, the first of
    which is the one that the error names as its field.
    """

    inputs: tuple[str, ...]
    check: Callable[[Values], Iterable[str]]


@dataclass(frozen=True)
class Declaration:
    """Every hyperparameter of an algorithm, and the rules between them."""

    parameters: Sequence[Parameter]
    rules: Sequence[Rule] = ()
    unknown: str = "Extraneous hyperparameter found: {name}"
    """How SageMaker's own container begins its complaint of a name that the algorithm does not have."""

    def parse(self, raw: Mapping[str, object]) -> Values:
        """The values of the job whose hyperparameters.json holds `raw`: JSON strings, numbers or booleans.

        A value that is null, "None" or empty counts as not given. Of a name and its alias the later one holds.
        Names that the platform and its software development kits add are tolerated. Raises UserError with one line
        for each mistake: missing and unknown names, unreadable values, values out of range, broken rules.
        """
        texts, mistakes = self._named(raw)
        content: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name in texts:
                self._parse_one(parameter, texts[parameter.name], content, mistakes)
            elif parameter.default is not None:
                content[parameter.name] = parameter.default
        values = Values(content, texts)
        failed = {name for name, _ in mistakes}
        for rule in self.rules:
            if failed.isdisjoint(rule.inputs):
                mistakes += [(rule.inputs[0], line) for line in rule.check(values)]
        if mistakes:
            raise UserError(_report([line for _, line in mistakes]), field=mistakes[0][0])
        return values

    def _named(self, raw: Mapping[str, object]) -> tuple[dict[str, str], list[tuple[str, str]]]:
        """The given texts by canonical name, and the mistakes among the names: missing ones first."""
        canonical = {alias: each.name for each in self.parameters for alias in (each.name, *each.aliases)}
        empty = {each.name: each.empty for each in self.parameters if each.empty}
        texts: dict[str, str] = {}
        unknown: list[tuple[str, str]] = []
        for name, value in raw.items():
            if name not in canonical:
                if not _is_tolerated(name):
                    unknown.append((name, self.unknown.format(name=shown(name)) + _hint(name, canonical)))
            elif not is_absent(value):
                texts[canonical[name]] = spelled(value)
            elif canonical[name] in empty and value is not None and not spelled(value):
                texts[canonical[name]] = empty[canonical[name]]
        missing = [
            (each.name, f"Missing required hyperparameter: {each.name} ({each.kind.type_text} {each.kind.range_text})")
            for each in self.parameters
            if each.required and each.name not in texts
        ]
        return texts, missing + unknown

    @staticmethod
    def _parse_one(parameter: Parameter, text: str, content: dict[str, Any], mistakes: list[tuple[str, str]]) -> None:
        prefix = f"Hyperparameter {parameter.name}:"
        try:
            content[parameter.name] = parameter.kind.parse(text)
        except RangeError as mistake:
            mistakes.append((parameter.name, f"{prefix} {mistake}"))
        except ParseError as mistake:
            line = f"{prefix} could not parse value {shown(text)!r}: {mistake}; allowed: {parameter.kind.range_text}"
            mistakes.append((parameter.name, line))


def _is_tolerated(name: str) -> bool:
    return name.startswith(_TOLERATED_PREFIXES) or name in _TOLERATED_NAMES


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f" (did you mean {near[0]!r}?)" if near else " (the algorithm has no hyperparameter of this name)"


def _report(lines: Sequence[str]) -> str:
    """The lines, the first one always; the others the shorter the more there are, and how many are left out."""
    for limit in _LINE_LIMITS:
        cut = [shown(lines[0], _LINE_LIMITS[0]), *(shown(line, limit) for line in lines[1:])]
        if len("\n".join(cut)) <= REPORT_LIMIT:
            return "\n".join(cut)
    room = REPORT_LIMIT - len(f"\nand {len(cut)} more")
    kept = cut[:1]
    for line in cut[1:]:
        if len("\n".join([*kept, line])) > room:
            break
        kept.append(line)
    return "\n".join([*kept, f"and {len(cut) - len(kept)} more"])
