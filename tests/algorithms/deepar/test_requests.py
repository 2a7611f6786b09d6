"""Requests of forecasts: what is read of them, and what is said of those that are wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.deepar.configuration import Configuration
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.lags import lags
from sagedock.algorithms.deepar.layout import Layout
from sagedock.algorithms.deepar.parameters import Architecture
from sagedock.algorithms.deepar.requests import MOST_NUMBERS, Request, Settings, decode
from sagedock.algorithms.deepar.work import MOST_PRODUCTS, Work
from sagedock.errors import PayloadTooLarge, UnsupportedMediaType, UserError
from sagedock.formats.media_types import JSON, JSON_LINES, parse_media_type
from sagedock.serving.errors import LONGEST_MESSAGE
from tests.algorithms.deepar.toys import lines, record

LAYOUT = Layout(Frequency.parse("H"), 3, "student-T", categories=0, features=0, trained=True)
WITH_CAT = replace(LAYOUT, categories=2, cardinality=(3, 2))
WITH_FEATURES = replace(LAYOUT, features=2)
SMALL = Work(weights=1000, context=6, horizon=3)


def asked(document: Any, layout: Layout = LAYOUT, settings: Settings | None = None) -> Request:
    return decode(json.dumps(document).encode(), parse_media_type(JSON), layout, settings or Settings(), SMALL)


def of_lines(body: bytes, layout: Layout = LAYOUT, **environment: str) -> Request:
    return decode(body, parse_media_type(JSON_LINES), layout, Settings.of(environment), SMALL)


def test_series_are_read_with_the_defaults_of_the_developer_guide() -> None:
    """deepar 16."""
    found = asked({"instances": [record([4.0, 10, "NaN", None, 100.0]), {"start": "2024-01-02", "target": []}]})
    np.testing.assert_array_equal(found.series[0].target, [4, 10, np.nan, np.nan, 100])
    assert len(found.series[1]) == 0
    assert found.configuration.num_samples == 100
    assert found.configuration.output_types == ("mean", "quantiles")
    assert found.configuration.quantiles == tuple(f"0.{digit}" for digit in range(1, 10))


def test_a_date_alone_is_a_start() -> None:
    """deepar 7."""
    (series,) = asked({"instances": [{"start": "2024-01-02", "target": [1]}]}).series
    assert series.frequency.text(series.start) == "2024-01-02 00:00:00"


def test_cat_and_features_are_read() -> None:
    cat = asked({"instances": [record([1], cat=[2, 1])]}, WITH_CAT)
    assert cat.series[0].cat.tolist() == [2, 1]
    features = asked({"instances": [record([1], dynamic_feat=[[1, 2, 3, 4], [5, 6, 7, 8]])]}, WITH_FEATURES)
    assert features.series[0].dynamic_feat.tolist() == [[1, 2, 3, 4], [5, 6, 7, 8]]


WRONG = [
    (LAYOUT, {"cat": [0]}, "cat", "instance 1: cat is given, and the model was trained without cat: leave cat out"),
    (WITH_CAT, {}, "cat", "instance 1: cat is missing, and the model was trained with it: give 2 numbers from 0"),
    (WITH_CAT, {"cat": [0]}, "cat", "instance 1: cat has 1 numbers: expected 2 numbers, one for each"),
    (WITH_CAT, {"cat": [3, 0]}, "cat", r"instance 1: cat\[0\] is 3, which training has not seen: it knows 0 to 2"),
    (LAYOUT, {"dynamic_feat": [[1] * 5]}, "dynamic_feat", "dynamic_feat is given, and the model was trained without"),
    (WITH_FEATURES, {}, "dynamic_feat", "dynamic_feat is missing, and the model was trained with it: give 2 series"),
    (WITH_FEATURES, {"dynamic_feat": [[1] * 5]}, "dynamic_feat", "dynamic_feat has 1 series: expected 2"),
    (
        WITH_FEATURES,
        {"dynamic_feat": [[1] * 5, [1] * 2]},
        "dynamic_feat",
        r"instance 1: dynamic_feat\[1\] has 2 values: expected 5 \(len\(target\) \+ prediction_length\), the 2 of "
        "target and 3 of the time to be forecast",
    ),
    (
        WITH_FEATURES,
        {"dynamic_feat": [[1] * 5, [1] * 6]},
        "dynamic_feat",
        r"dynamic_feat\[1\] has 6 values: expected 5",
    ),
    (
        WITH_FEATURES,
        {"dynamic_feat": [[1] * 5, [1, 2, None, 4, 5]]},
        "dynamic_feat",
        r"dynamic_feat\[1\]\[2\] is missing, and features need a value at every point",
    ),
    (replace(LAYOUT, likelihood="beta"), {"target": [3]}, "target", r"target\[0\] is 3, and likelihood beta is of"),
]


@pytest.mark.parametrize(("layout", "fields", "field", "message"), WRONG)
def test_what_does_not_fit_the_model_is_named(layout: Layout, fields: dict[str, Any], field: str, message: str) -> None:
    """deepar 9, 19 and 20; cardinality exceeded at inference; issue 7 item 3."""
    with pytest.raises(UserError, match=message) as caught:
        asked({"instances": [{**record([1, 2]), **fields}]}, layout)
    assert caught.value.field == field
    assert caught.value.row == 1
    assert len(str(caught.value)) <= LONGEST_MESSAGE
    example = str(caught.value).split("Two correct records:\n")[1].encode()
    assert len(of_lines(example, layout).series) == 2


def test_an_example_for_a_long_forecast_is_short() -> None:
    layout = replace(LAYOUT, features=5, prediction_length=700)
    with pytest.raises(UserError, match="were there prediction_length 3 and 2 series in dynamic_feat:") as caught:
        asked({"instances": [record([1], dynamic_feat=[[1]] * 5)]}, layout)
    assert len(str(caught.value)) <= LONGEST_MESSAGE


@pytest.mark.parametrize(
    ("document", "field", "message"),
    [
        ([], "instances", r"expected \{\"instances\": .*got a list"),
        ({"instance": []}, "instances", "got an object without a list named instances"),
        (record([1]), "instances", "got an object without a list named instances"),
        ({"instances": [[1, 2]]}, "start", "instance 1: expected an object with start and target, got a list"),
        ({"instances": [], "configuration": []}, "configuration", "configuration is no object such as"),
        ({"instances": [], "configuration": {"quantile": 1}}, "configuration", 'holds "quantile": its fields are'),
        ({"instances": [], "configuration": {"num_samples": 0}}, "num_samples", "num_samples is 0: give a whole"),
        ({"instances": [], "configuration": {"num_samples": True}}, "num_samples", "num_samples is true: give"),
        ({"instances": [], "configuration": {"output_types": []}}, "output_types", "output_types is empty or no list"),
        ({"instances": [], "configuration": {"output_types": "mean"}}, "output_types", "is empty or no list"),
        ({"instances": [], "configuration": {"output_types": ["mode"]}}, "output_types", 'output_types holds "mode"'),
        ({"instances": [], "configuration": {"quantiles": []}}, "quantiles", "quantiles is not a list of 1 to"),
        (
            {"instances": [], "configuration": {"quantiles": ["p50"]}},
            "quantiles",
            'quantiles holds "p50": give numbers',
        ),
        (
            {"instances": [], "configuration": {"quantiles": ["1.0"]}},
            "quantiles",
            'quantiles holds "1.0": give numbers',
        ),
        (
            {"instances": [], "configuration": {"quantiles": [1]}},
            "quantiles",
            "quantiles holds 1: give numbers above 0",
        ),
        ({"instances": [], "configuration": {"quantiles": ["nan"]}}, "quantiles", 'quantiles holds "nan"'),
    ],
)
def test_requests_of_another_shape_are_refused(document: Any, field: str, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        asked(document)
    assert caught.value.field == field


def test_the_configuration_is_read_and_quantiles_keep_their_spelling() -> None:
    """deepar 17."""
    configuration = {"num_samples": 50.0, "output_types": ["samples"], "quantiles": ["0.50", ".9", 0.95, "1e-2"]}
    found = asked({"instances": [record([1])], "configuration": configuration}).configuration
    assert found == Configuration(50, ("samples",), ("0.50", ".9", "0.95", "1e-2"))
    assert found.levels == [0.5, 0.9, 0.95, 0.01]


@pytest.mark.parametrize("document", [{"instances": []}, {"instances": [], "configuration": None}])
def test_no_instances_are_none(document: Any) -> None:
    assert asked(document).rows == 0


def test_lines_are_read_by_the_environment() -> None:
    """deepar 22 and 23."""
    body = lines([record([1], id="a", zip=5), record([2]), record([3], id=["c"])])
    found = of_lines(
        body,
        DEEPAR_INFERENCE_CONFIG='{"num_samples": 200, "output_types": ["mean"]}',
        DEEPAR_FORWARDED_FIELDS='["id"]',
    )
    assert found.rows == 3
    assert (found.configuration.num_samples, found.configuration.output_types) == (200, ("mean",))
    assert list(found.forwarded) == [{"id": "a"}, {}, {"id": ["c"]}]
    assert of_lines(body).configuration == Configuration()


def test_a_request_that_says_part_of_its_configuration_gets_the_rest_of_the_environments() -> None:
    settings = Settings.of({"DEEPAR_INFERENCE_CONFIG": '{"num_samples": 200, "quantiles": ["0.3"]}'})
    found = asked({"instances": [], "configuration": {"num_samples": 7}}, settings=settings)
    assert found.configuration == Configuration(7, quantiles=("0.3",))


@pytest.mark.parametrize(
    ("variable", "text", "message"),
    [
        ("DEEPAR_INFERENCE_CONFIG", "{", "DEEPAR_INFERENCE_CONFIG: it is not JSON"),
        ("DEEPAR_INFERENCE_CONFIG", "[]", "DEEPAR_INFERENCE_CONFIG: configuration is no object"),
        ("DEEPAR_INFERENCE_CONFIG", '{"num_samples": -1}', "DEEPAR_INFERENCE_CONFIG: num_samples is -1"),
        ("DEEPAR_FORWARDED_FIELDS", "id", "DEEPAR_FORWARDED_FIELDS is 'id': give a JSON list of field names"),
        ("DEEPAR_FORWARDED_FIELDS", "[1]", r"DEEPAR_FORWARDED_FIELDS is '\[1\]': give a JSON list"),
    ],
)
def test_what_is_wrong_with_a_variable_is_named(variable: str, text: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Settings.of({variable: text})


@pytest.mark.parametrize(
    ("body", "row", "message"),
    [
        (lines([record([1])]) + b"{]\n", 2, "line 2 is not JSON"),
        (lines([record([1])]) + b"\n" + lines([record([1])]), 2, "line 2 is not JSON"),
        (lines([record([1]), record(["x"])]), 2, r"line 2: target\[0\] is 'x', not a number"),
        (b"{}\n", 1, "line 1: start is missing"),
    ],
)
def test_a_line_that_is_wrong_is_named(body: bytes, row: int, message: str) -> None:
    with pytest.raises(UserError, match=message) as caught:
        of_lines(body)
    assert caught.value.row == row


def test_100_000_series_in_one_request_are_refused_with_how_many_may_come() -> None:
    """100,000 series in one request; issue 7, bad input."""
    body = b'{"instances": [%b]}' % b",".join([b'{"start": "2024-01-01", "target": [1]}'] * 100_000)
    read = decode(body, parse_media_type(JSON), LAYOUT, Settings(), SMALL)
    assert read.rows == 100_000, "thirty numbers for each are no more than an answer may hold"
    with pytest.raises(PayloadTooLarge, match="send at most 20833 series at a time") as caught:
        decode(body, parse_media_type(JSON), replace(LAYOUT, prediction_length=48), Settings(), SMALL)
    assert caught.value.field == "instances"


BUILT_IN = Architecture("H", 72, 24, "student-t", 40, 2, lags(Frequency.parse("H")), (), 10, 0, 4)
"""The sizes of the built-in's defaults, hourly."""


@pytest.mark.parametrize(
    ("changes", "samples", "most"),
    [
        ({}, 100, 6339),
        ({"prediction_length": 48}, 100, 3262),
        ({}, 1, 95_996),
        ({"cells": 200}, 100, 375),
        ({"likelihood": "deterministic-l1"}, 100, 6356),
    ],
)
def test_a_request_is_refused_that_takes_longer_than_sagemaker_waits(
    changes: dict[str, Any], samples: int, most: int
) -> None:
    """A small answer (its means alone) may be much work: 41,666 series of 100 samples of 24 steps took 150 seconds."""
    built = replace(BUILT_IN, **changes)
    layout, work = replace(LAYOUT, prediction_length=built.prediction_length), Work.of(built)
    settings = Settings(Configuration(samples, ("mean",)))
    line = lines([record([1])])
    assert decode(line * most, parse_media_type(JSON_LINES), layout, settings, work).rows == most
    with pytest.raises(PayloadTooLarge, match=f"send at most {most} series at a time, or ask for fewer") as caught:
        decode(line * (most + 1), parse_media_type(JSON_LINES), layout, settings, work)
    assert caught.value.field == "instances"


def test_samples_of_one_series_that_take_too_long_are_refused_with_how_many_may_be() -> None:
    work = Work(weights=10_000_000, context=72, horizon=48)
    with pytest.raises(PayloadTooLarge, match="ask for at most 1038 samples") as caught:
        decode(lines([record([1])]), parse_media_type(JSON_LINES), LAYOUT, Settings(Configuration(1039)), work)
    assert caught.value.field == "num_samples"
    assert decode(lines([record([1])]), parse_media_type(JSON_LINES), LAYOUT, Settings(Configuration(1038)), work).rows


def test_one_path_may_always_be_drawn() -> None:
    work = Work(weights=MOST_PRODUCTS, context=72, horizon=48)
    assert (work.most_series(1), work.most_series(2), work.most_paths()) == (1, 0, 1)


@given(st.integers(1, 10**9), st.integers(1, 10**5), st.integers(1, 10**4))
def test_as_many_paths_as_may_be_are_those_of_one_series(weights: int, context: int, horizon: int) -> None:
    work = Work(weights, context, horizon)
    most = work.most_paths()
    assert work.most_series(most) >= 1
    assert work.most_series(most + 1) == 0


def test_more_samples_than_fit_are_refused() -> None:
    with pytest.raises(PayloadTooLarge, match="num_samples 50000 times prediction_length 300 is 15000000 numbers"):
        asked({"instances": [], "configuration": {"num_samples": 50_000}}, replace(LAYOUT, prediction_length=300))
    assert MOST_NUMBERS == 10_000_000


def test_other_types_are_not_read() -> None:
    for text in ("text/csv", "application/json; charset=latin-1"):
        with pytest.raises(UnsupportedMediaType):
            decode(b"{}", parse_media_type(text), LAYOUT, Settings(), SMALL)


@given(st.integers(0, 6), st.integers(0, 6), st.integers(0, 6))
def test_parts_of_a_request_are_its_series_in_order(count: int, begin: int, end: int) -> None:
    body = lines([record([number], id=number) for number in range(count)])
    whole = of_lines(body, DEEPAR_FORWARDED_FIELDS='["id"]') if count else Request([], Configuration())
    part = whole.part(begin, end)
    assert [series.target.tolist() for series in part.series] == [[number] for number in range(count)[begin:end]]
    assert [fields["id"] for fields in part.forwarded] == list(range(count)[begin:end])
