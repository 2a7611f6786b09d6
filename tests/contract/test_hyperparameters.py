"""The one parser of hyperparameters (contract 1.3.1, statements B01 to B09)."""

from __future__ import annotations

import json
import math
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contracts.hyperparameters import (
    Boolean,
    Categorical,
    Declaration,
    Integer,
    Interval,
    ListOf,
    NestedList,
    Parameter,
    Real,
    Rule,
    Text,
    hyperparameter_table,
)
from sagedock.errors import UserError


def _both_or_none(values):
    if ("low" in values) != ("high" in values):
        yield "Hyperparameter low: give low and high, or neither"


DECLARATION = Declaration(
    (
        Parameter("rounds", Integer(Interval(1)), "Rounds.", required=True, tuning="1 to 10"),
        Parameter("rate", Real(Interval(0, 1)), "Rate.", library_default="0.3", aliases=("learning_rate",)),
        Parameter("open", Real(Interval(0, 1, low_open=True, high_open=True)), "Open interval."),
        Parameter("any_real", Real(), "Any real."),
        Parameter("limit", Real(Interval(0), infinite=True), "May be infinite."),
        Parameter("any_integer", Integer(), "Any integer."),
        Parameter("flag", Boolean(), "A flag.", default=False),
        Parameter("optimizer", Categorical(("adam", "sgd")), "One | the other.", default="sgd"),
        Parameter("layers", ListOf(Integer(Interval(1))), "Sizes."),
        Parameter("names", ListOf(Categorical(("auc", "rmse", "mae"))), "Names."),
        Parameter("groups", NestedList(Integer(Interval(0))), "Groups."),
        Parameter("costs", NestedList(Real(), shape=(2, 2)), "Costs."),
        Parameter("note", Text(), "A note."),
        Parameter("low", Integer(), "Low."),
        Parameter("high", Integer(), "High."),
        Parameter("_private", Integer(Interval(2)), "Declared underscore name."),
    ),
    (Rule(("low", "high"), _both_or_none),),
)


def parse(**raw):
    return DECLARATION.parse({"rounds": "1", **raw})


def mistakes(raw) -> list[str]:
    with pytest.raises(UserError) as caught:
        DECLARATION.parse(raw)
    return str(caught.value).splitlines()


def spellings(bare: str) -> st.SearchStrategy[str]:
    """`bare` as callers spell it: bare, as a JSON string, as a JSON string of a JSON string, with blanks around."""
    forms = [bare, json.dumps(bare), json.dumps(json.dumps(bare))]
    blanks = st.text(" \t\n", max_size=2)
    return st.tuples(blanks, st.sampled_from(forms), blanks).map("".join)


@given(st.data(), st.integers(1, 2**31 - 1))
def test_an_integer_is_the_same_however_it_is_spelled(data, number):
    """Contract B01 to B03, B05; issue 2 item 3."""
    bare = data.draw(st.sampled_from([str(number), f"{number}.0", f"{number}.", f"+{number}", f"{number}0e-1"]))
    assert DECLARATION.parse({"rounds": data.draw(spellings(bare))})["rounds"] == number


@given(st.data(), st.floats(-3e38, 3e38, allow_nan=False, allow_infinity=False))
def test_a_real_is_the_same_however_it_is_spelled(data, number):
    """Contract B04."""
    bare = data.draw(st.sampled_from([repr(number), f"{number:.17e}", f"{number:.17E}"]))
    assert parse(any_real=data.draw(spellings(bare)))["any_real"] == number


@given(
    st.data(),
    st.sampled_from([(True, "true"), (True, "1"), (True, "yes"), (False, "false"), (False, "0"), (False, "no")]),
)
def test_a_boolean_is_the_same_in_any_case(data, case):
    """Contract B05."""
    value, word = case
    cased = "".join(data.draw(st.sampled_from([letter.lower(), letter.upper()])) for letter in word)
    assert parse(flag=data.draw(spellings(cased)))["flag"] is value


@given(st.data(), st.lists(st.sampled_from(["auc", "rmse", "mae"]), min_size=1, max_size=4))
def test_a_list_is_the_same_as_json_python_or_comma_text(data, names):
    """Contract 1.3.1 (lists), xgboost.md's decision on statement 14."""
    forms = [
        ",".join(names),
        ", ".join(names),
        json.dumps(names),
        str(names),
        str(tuple(names)),
        f"[{','.join(names)}]",
    ]
    text = data.draw(spellings(data.draw(st.sampled_from(forms))))
    assert parse(names=text)["names"] == tuple(names)


@given(st.sampled_from([True, False]), st.integers(1, 1000), st.floats(0, 1), st.lists(st.integers(1, 9), min_size=1))
def test_real_json_values_are_read_as_their_text_would_be(flag, rounds, rate, layers):
    """Local callers write numbers and booleans without quotes (contract 1.3.1)."""
    values = DECLARATION.parse({"rounds": rounds, "rate": rate, "flag": flag, "layers": layers})
    assert (values["rounds"], values["rate"], values["flag"]) == (rounds, rate, flag)
    assert values["layers"] == tuple(layers)


@given(st.lists(st.lists(st.integers(0, 99), min_size=1, max_size=4), min_size=1, max_size=4), st.data())
def test_a_nested_list_is_the_same_however_it_is_spelled(groups, data):
    text = data.draw(spellings(json.dumps(groups)))
    assert parse(groups=text)["groups"] == tuple(map(tuple, groups))
    assert parse(groups=groups)["groups"] == tuple(map(tuple, groups))


NAMES = [each.name for each in DECLARATION.parameters] + ["learning_rate", "sagemaker_program", "_other", "unknown"]
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(), lambda inner: st.lists(inner, max_size=3)
)


@given(st.dictionaries(st.sampled_from(NAMES) | st.text(), st.text() | JSON_VALUES, max_size=8))
def test_any_mapping_is_read_or_refused_as_the_users_mistake(raw):
    """Whatever is written, the outcome is values or a UserError that fits the failure file."""
    try:
        values = DECLARATION.parse(raw)
    except UserError as mistake:
        report = str(mistake)
    else:
        assert values["rounds"] >= 1
        return
    assert 0 < len(report) <= 900
    assert all(line.isprintable() for line in report.splitlines())


@given(
    st.text(string.printable, max_size=20),
    st.sampled_from([each.name for each in DECLARATION.parameters if each.name != "rounds"]),
)
def test_what_was_given_parses_again_to_the_same(text, name):
    """The manifest keeps the texts as given, without quotes: a round trip."""
    try:
        values = parse(**{name: text})
    except UserError:
        return
    again = DECLARATION.parse(values.given)
    assert dict(again) == dict(values)
    assert again.given == values.given


@pytest.mark.parametrize("text", ["[" * 100_000, '"' * 5_000, "9" * 10_000, "1e999", "\ud800", '"\\ud800"', "{}", "-"])
def test_monstrous_text_is_refused_for_every_kind_without_another_error(text):
    for each in DECLARATION.parameters:
        if each.name in {"note", "limit"}:  # any text, and an infinite number, are right there
            continue
        with pytest.raises(UserError) as caught:
            DECLARATION.parse({"rounds": "1", each.name: text})
        assert len(str(caught.value)) <= 900


def test_inner_quotes_are_removed():
    """Contract B02."""
    assert parse(optimizer='"adam"')["optimizer"] == "adam"
    assert parse(optimizer='"\\"adam\\""')["optimizer"] == "adam"
    assert parse(note='"a"b"')["note"] == '"a"b"'


def test_integral_floats_are_integers_and_others_are_not():
    """Contract B03."""
    assert parse(any_integer="6.0")["any_integer"] == 6
    assert parse(any_integer="1e3")["any_integer"] == 1000
    assert "could not parse value '6.5': expected an integer" in mistakes({"rounds": "6.5"})[0]


@pytest.mark.parametrize("text", ["1_000", "\u0661\u0662", "0x10", "1,5", "one", "1 2"])
def test_numbers_that_only_python_would_read_are_refused(text):
    assert mistakes({"rounds": "1", "any_integer": text})[0].startswith(
        "Hyperparameter any_integer: could not parse value"
    )
    assert mistakes({"rounds": "1", "any_real": text})[0].startswith("Hyperparameter any_real: could not parse value")


def test_names_of_the_platform_and_its_kits_are_tolerated():
    """Contract B06."""
    tolerated = {
        "_tuning_objective_metric": "validation:auc",
        "sagemaker_program": '"train.py"',
        "sagemaker_region": "eu-central-1",
        "sagedock_algorithm": "xgboost",
        "default_user_module_name": "x",
        "_anything": "1",
    }
    values = parse(**tolerated)
    assert not tolerated.keys() & values.keys()
    assert values.given == {"rounds": "1"}


def test_a_declared_underscore_name_is_parsed_and_checked():
    assert parse(_private="5")["_private"] == 5
    assert mistakes({"rounds": "1", "_private": "1"}) == ["Hyperparameter _private: 1 is not in [2, inf)"]


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    """Contract B07; issue 2 item 3."""
    assert mistakes({"rounds": "1", "learning_rat": "1"}) == [
        "Extraneous hyperparameter found: learning_rat (did you mean 'learning_rate'?)"
    ]
    assert mistakes({"rounds": "1", "ROUNDS": "1"}) == [
        "Extraneous hyperparameter found: ROUNDS (did you mean 'rounds'?)"
    ]
    assert mistakes({"rounds": "1", "qqqq": "1"})[0].startswith("Extraneous hyperparameter found: qqqq (")


def test_a_value_out_of_range_is_told_with_name_value_and_range():
    """Contract B08."""
    assert mistakes({"rounds": "0"}) == ["Hyperparameter rounds: 0 is not in [1, inf)"]
    assert mistakes({"rounds": "1", "rate": "1.01"}) == ["Hyperparameter rate: 1.01 is not in [0, 1]"]
    assert mistakes({"rounds": "1", "open": "1"}) == ["Hyperparameter open: 1 is not in (0, 1)"]
    assert mistakes({"rounds": "1", "optimizer": "Adam"}) == ["Hyperparameter optimizer: Adam is not in {adam, sgd}"]
    assert mistakes({"rounds": "1", "names": "auc,x"}) == [
        "Hyperparameter names: value x not in range {auc, rmse, mae}"
    ]
    assert mistakes({"rounds": "1", "groups": "[[0,-1]]"}) == ["Hyperparameter groups: value -1 not in range [0, inf)"]


def test_nothing_given_uses_defaults_or_names_what_is_missing():
    """Contract B09."""
    assert mistakes({}) == ["Missing required hyperparameter: rounds (integer [1, inf))"]
    values = parse()
    assert dict(values) == {"rounds": 1, "flag": False, "optimizer": "sgd"}


@pytest.mark.parametrize("absent", [None, "", "  ", "null", "None", '"null"', '""', '"\\"None\\""'])
def test_null_none_and_empty_count_as_not_given(absent):
    """Kits write None as null or None (contract 1.3.1)."""
    values = parse(rate=absent, flag=absent)
    assert dict(values) == {"rounds": 1, "flag": False, "optimizer": "sgd"}
    assert "rate" not in values.given
    assert mistakes({"rounds": absent})[0].startswith("Missing required hyperparameter: rounds")


@pytest.mark.parametrize("text", ["nan", "NaN", "-nan", "inf", "-inf", "Infinity", "1e999", "3.5e38"])
def test_reals_are_finite_numbers_of_single_precision(text):
    """xgboost.md 4.2: NaN passes every comparison with an interval, so it is refused by name."""
    assert f"Hyperparameter any_real: {text} is not in" in mistakes({"rounds": "1", "any_real": text})[0]


def test_infinity_is_read_only_where_it_is_allowed():
    assert parse(limit="inf")["limit"] == math.inf
    assert "is not in [0, inf)" in mistakes({"rounds": "1", "limit": "nan"})[0]


def test_integers_beyond_32_bits_are_refused():
    assert parse(any_integer=str(2**31 - 1))["any_integer"] == 2**31 - 1
    assert (
        "Hyperparameter any_integer: 2147483648 is not in" in mistakes({"rounds": "1", "any_integer": "2147483648"})[0]
    )


def test_of_a_name_and_its_alias_the_later_holds():
    """xgboost.md 4: if both are given the later one in the file wins."""
    assert parse(rate="0.1", learning_rate="0.2")["rate"] == 0.2
    assert parse(learning_rate="0.2", rate="0.1")["rate"] == 0.1
    assert parse(learning_rate="0.2", rate=None)["rate"] == 0.2
    assert parse(learning_rate="0.2").given == {"rounds": "1", "rate": "0.2"}


@pytest.mark.parametrize("text", ["a,,b", "auc,", "[]", "()", "[auc", ",", "[[auc]]", '["auc", ["rmse"]]'])
def test_lists_with_empty_or_nested_items_are_refused(text):
    assert mistakes({"rounds": "1", "names": text})[0].startswith("Hyperparameter names: ")


def test_a_python_tuple_of_one_is_a_list_of_one():
    assert parse(layers="(3,)")["layers"] == (3,)


@pytest.mark.parametrize(
    "text", ["[[0,1]]", "[[0,1],[1]]", "[0,1,2,3]", "[[0,1],[true,1]]", '[[0,1],["2",1]]', "0,1", "[[0,1],[NaN,1]]"]
)
def test_a_matrix_of_another_shape_or_content_is_refused(text):
    assert mistakes({"rounds": "1", "costs": text})[0].startswith("Hyperparameter costs: ")


def test_a_matrix_keeps_its_rows():
    assert parse(costs="[[0, 100], [5e2, -1.5]]")["costs"] == ((0.0, 100.0), (500.0, -1.5))


def test_all_mistakes_are_reported_together_in_order():
    """Issue 2 item 3: missing names, unknown names, unreadable values, ranges, then rules."""
    lines = mistakes({"rate": "2", "flag": "perhaps", "low": "1", "foo": "1", "layers": "1,x"})
    assert [line.split(":")[0] for line in lines] == [
        "Missing required hyperparameter",
        "Extraneous hyperparameter found",
        "Hyperparameter rate",
        "Hyperparameter flag",
        "Hyperparameter layers",
        "Hyperparameter low",
    ]


def test_the_error_names_the_first_mistake_as_its_field():
    with pytest.raises(UserError) as caught:
        DECLARATION.parse({"rounds": "1", "rate": "2", "flag": "x"})
    assert caught.value.field == "rate"


def test_a_rule_waits_until_its_inputs_are_right():
    assert mistakes({"rounds": "1", "low": "x"}) == [
        "Hyperparameter low: could not parse value 'x': expected an integer; allowed: (-inf, inf)"
    ]
    assert mistakes({"rounds": "1", "low": "1"}) == ["Hyperparameter low: give low and high, or neither"]


def test_a_long_report_is_cut_and_says_how_much_is_left_out():
    lines = mistakes({f"unknown_{number}": "x" * 2_000 for number in range(60)})
    assert lines[0].startswith("Missing required hyperparameter: rounds")
    assert lines[-1] == f"and {61 - (len(lines) - 1)} more"
    assert len("\n".join(lines)) <= 900


def test_long_values_are_cut_and_line_breaks_removed():
    [line] = mistakes({"rounds": "1", "optimizer": "x\n" * 1_000})
    assert len(line) < 150
    assert "..." in line


def test_values_is_a_mapping_of_what_was_given_and_defaulted():
    values = parse(optimizer=' "adam" ')
    assert len(values) == 3
    assert values.get("rate") is None
    assert "rate" not in values
    assert values.given == {"rounds": "1", "optimizer": "adam"}


def test_the_table_has_a_row_for_each_parameter():
    """Design habit 4: documents are derived from the declaration."""
    rows = hyperparameter_table(DECLARATION).splitlines()
    assert len(rows) == 2 + len(DECLARATION.parameters)
    assert rows[2] == "| `rounds` | integer | [1, inf) | required | 1 to 10 | Rounds. |"
    assert rows[3] == "| `rate` | float | [0, 1] | 0.3 |  | Rate. Also called `learning_rate`. |"
    assert "| `flag` | boolean | true, false | false |  | A flag. |" in rows
    assert "| `optimizer` | categorical | adam, sgd | sgd |  | One \\| the other. |" in rows
