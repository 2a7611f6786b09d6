"""Hyperparameters: the declaration an algorithm makes, and the parser it drives (hyperparameters.json)."""

from sagedock.contracts.hyperparameters.declaration import Declaration, Parameter, Rule, Values
from sagedock.contracts.hyperparameters.kinds import (
    Boolean,
    Categorical,
    Integer,
    Interval,
    Kind,
    ListOf,
    NestedList,
    ParseError,
    RangeError,
    Real,
    Text,
)
from sagedock.contracts.hyperparameters.table import hyperparameter_table

__all__ = [
    "Boolean",
    "Categorical",
    "Declaration",
    "Integer",
    "Interval",
    "Kind",
    "ListOf",
    "NestedList",
    "Parameter",
    "ParseError",
    "RangeError",
    "Real",
    "Rule",
    "Text",
    "Values",
    "hyperparameter_table",
]
