"""Media types and Accept by RFC 9110; contract D13 to D17, recordio 8.17."""

import pytest

from sagedock.errors import NotAcceptable, UnsupportedMediaType
from sagedock.formats.media_types import negotiate, parse_media_type

OFFERED = ("text/csv", "application/json", "application/jsonlines")


@pytest.mark.parametrize(
    ("text", "essence"),
    [
        ("csv", "text/csv"),
        ("TEXT/CSV", "text/csv"),
        ("Libsvm", "text/libsvm"),
        ("text/x-libsvm", "text/libsvm"),
        ("parquet", "application/x-parquet"),
        ("recordio-protobuf", "application/x-recordio-protobuf"),
        ("application/JSONLINES", "application/jsonlines"),
        (" text/csv ", "text/csv"),
    ],
)
def test_sagemakers_spellings_are_the_same_type(text, essence):
    assert parse_media_type(text).essence == essence


def test_charset_in_odd_case_is_still_csv():
    """Contract D17."""
    parsed = parse_media_type("TEXT/CSV; charset=utf-8")
    assert (parsed.essence, dict(parsed.parameters)) == ("text/csv", {"charset": "utf-8"})


def test_label_size_is_found_whatever_its_spelling():
    """Recordio 8.17."""
    spellings = ["text/csv; label_size=1", "text/CSV;label_size=1", "csv ;\tLABEL_SIZE=1", 'text/csv;label_size="1"']
    assert {tuple(parse_media_type(text).parameters.items()) for text in spellings} == {(("label_size", "1"),)}
    assert {parse_media_type(text).essence for text in spellings} == {"text/csv"}


def test_a_quoted_parameter_may_hold_anything():
    assert parse_media_type(r'text/csv; a="x;\"y\"="; b=2').parameters == {"a": 'x;"y"=', "b": "2"}


@pytest.mark.parametrize(
    "text", ["", "text", "text/", "/csv", "text/csv; a", "text/csv,text/html", "te xt/csv", "a/b/c"]
)
def test_malformed_text_is_refused(text):
    with pytest.raises(UnsupportedMediaType, match="is not a media type"):
        parse_media_type(text)


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "text/csv"),
        ("", "text/csv"),
        ("*/*", "text/csv"),
        ("application/json", "application/json"),
        ("APPLICATION/JSON;q=0.5", "application/json"),
        ("application/*", "application/json"),
        ("text/html, application/jsonlines;q=0.1", "application/jsonlines"),
        ("text/csv;q=0.2, application/json;q=0.9", "application/json"),
        ("*/*;q=0.1, application/jsonlines", "application/jsonlines"),
        ("text/csv;q=0, */*", "application/json"),
        ("application/*;q=0.9, application/json;q=0.1", "application/jsonlines"),
        ("image/png, csv", "text/csv"),
        ('text/plain;a="x,y", application/json', "application/json"),
        ("nonsense, application/json", "application/json"),
    ],
)
def test_accept_chooses(accept, chosen):
    """Contract D14."""
    assert negotiate(accept, OFFERED, "text/csv") == chosen


def test_the_default_is_the_callers():
    """Contract D15."""
    assert negotiate("*/*", OFFERED, "application/jsonlines") == "application/jsonlines"


@pytest.mark.parametrize(
    "accept", ["image/png", "text/csv;q=0", "*/*;q=0", "application/json;q=0.0", "text/html, image/*"]
)
def test_an_accept_that_cannot_be_met_names_what_is_offered(accept):
    """Contract D14."""
    with pytest.raises(NotAcceptable, match="text/csv, application/json, application/jsonlines"):
        negotiate(accept, OFFERED, "text/csv")
