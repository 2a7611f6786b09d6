"""The table of hyperparameters that an algorithm's README shows, generated from its declaration."""

from __future__ import annotations

from sagedock.contracts.hyperparameters.declaration import Declaration, Parameter

_HEADER = "| Name | Type | Range | Default | Tuning range | Meaning |\n|---|---|---|---|---|---|\n"


def hyperparameter_table(declaration: Declaration) -> str:
    """A Markdown table with a row for each hyperparameter, in the order of the declaration."""
    return _HEADER + "".join(_row(parameter) for parameter in declaration.parameters)


def _row(parameter: Parameter) -> str:
    meaning = parameter.description
    if parameter.aliases:
        meaning += f" Also called {', '.join(f'`{alias}`' for alias in parameter.aliases)}."
    range_text = parameter.kind.range_text.removeprefix("{").removesuffix("}")
    cells = [
        f"`{parameter.name}`",
        parameter.kind.type_text,
        range_text,
        _default(parameter),
        parameter.tuning,
        meaning,
    ]
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |\n"


def _default(parameter: Parameter) -> str:
    if parameter.required:
        return "required"
    if parameter.default is None:
        return parameter.library_default
    return str(parameter.default).lower() if isinstance(parameter.default, bool) else str(parameter.default)
