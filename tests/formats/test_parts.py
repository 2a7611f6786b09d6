"""Training data in parts of dense rows: what `read_parts` gives is what `read_table` gives, whole."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.contracts.channels import Source
from sagedock.errors import UnsupportedMediaType, UserError
from sagedock.formats import blocks, record_parts, recordio, records
from sagedock.formats.media_types import CSV, PARQUET, RECORDIO, parse_media_type
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Floats, Part, Table
from sagedock.formats.training import encode_table, read_parts, read_table

LABELLED = {CSV: "text/csv;label_size=1", PARQUET: PARQUET, RECORDIO: RECORDIO}


def source(content: bytes, name: str = "train") -> Source:
    return Source(name, lambda: io.BytesIO(content))


def parts(contents: Sequence[bytes], media_type: str, columns: int, *, labelled: bool = False) -> list[Part]:
    sources = [source(content, f"part-{number}") for number, content in enumerate(contents)]
    return list(read_parts(sources, parse_media_type(media_type), columns, labelled=labelled))


def numbers(rows: int, columns: int, seed: int = 1) -> Floats:
    return np.random.default_rng(seed).normal(size=(rows, columns)).astype(np.float32)


@pytest.mark.parametrize("media_type", LABELLED)
@pytest.mark.parametrize("block", [64, 1 << 21])
def test_parts_are_the_table_in_pieces(media_type: str, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows, labels and places, over several sources, whatever the size of a block."""
    monkeypatch.setattr(record_parts, "BLOCK_BYTES", block)
    monkeypatch.setattr(blocks.blocks, "__defaults__", (block,))
    features, labels = numbers(300, 4), np.arange(300, dtype=np.float32)
    content = [
        encode_table(Table(features[begin:end], labels=labels[begin:end]), media_type)
        for begin, end in ((0, 90), (90, 300))
    ]
    found = parts(content, LABELLED[media_type], 4, labelled=True)
    whole = read_table([source(text) for text in content], parse_media_type(LABELLED[media_type]))
    assert np.array_equal(np.concatenate([part.table.dense for part in found]), whole.features)
    assert np.array_equal(np.concatenate([part.table.labels for part in found]), whole.labels)
    for part in found:
        begin = part.first - 1 + (90 if part.source == "part-1" else 0)
        assert np.array_equal(part.table.dense, features[begin : begin + part.table.rows])
    assert (len(found) > 2) == (block == 64 and media_type != PARQUET)


@pytest.mark.parametrize("kind", ["<f4", "<f8", "<i4"])
@pytest.mark.parametrize("labelled", [False, True])
def test_every_kind_of_tensor_is_read_alike(kind: str, labelled: bool) -> None:
    """recordio 8.9: the way without a parser and the careful one."""
    rows = np.random.default_rng(2).integers(-9, 9, size=(50, 3)).astype(kind)
    frames = [framed(row, [float(number % 2)] if labelled else None) for number, row in enumerate(rows)]
    table = read_table([source(b"".join(frames))], parse_media_type(RECORDIO))
    (part,) = parts([b"".join(frames)], RECORDIO, 3)
    assert np.array_equal(part.table.dense, table.features)
    assert (part.table.labels is None) is not labelled
    if labelled:
        assert np.array_equal(part.table.labels, table.labels)


def framed(row: np.ndarray, label: list[float] | None = None, uid: str | None = None) -> bytes:
    record = Record()
    value = record.features["values"]
    tensor = {"f4": value.float32_tensor, "f8": value.float64_tensor, "i4": value.int32_tensor}[row.dtype.str[1:]]
    tensor.values.extend(row.tolist())
    if label is not None:
        record.label["values"].float32_tensor.values.extend(label)
    if uid is not None:
        record.uid = uid
    return recordio.frame(record.SerializeToString(deterministic=True))


@given(data=st.data())
def test_any_mixture_of_records_is_read_as_one_by_one(data: st.DataObject) -> None:
    """Runs of alike records broken by sparse, labelled and named ones, by another type, and by split frames."""
    width = data.draw(st.integers(1, 4))
    magic = np.frombuffer(recordio.MAGIC, "<f4")[0]
    value = st.sampled_from([0.0, 1.0, -2.5, float(magic)])
    frames = []
    for _ in range(data.draw(st.integers(1, 12))):
        row = data.draw(st.lists(value, min_size=width, max_size=width))
        kind = data.draw(st.sampled_from(["<f4", "<f4", "<f4", "<f8"]))
        uid = data.draw(st.sampled_from([None, None, None, "a", "bc"]))
        frames.append(framed(np.array(row, kind), uid=uid))
    content = b"".join(frames)
    expected = np.concatenate([records.decode(frame).features for frame in frames])
    found = parts([content], RECORDIO, width)
    assert np.array_equal(np.concatenate([part.table.dense for part in found]), expected)
    assert [part.first for part in found] == list(np.cumsum([1] + [part.table.rows for part in found])[:-1])


def test_what_a_sparse_record_leaves_out_is_zero() -> None:
    """recordio 8.2, 8.10."""
    table = Table(features=np.zeros((2, 3), np.float32))
    sparse = Record()
    sparse.features["values"].float32_tensor.values.append(7)
    sparse.features["values"].float32_tensor.keys.append(2)
    sparse.features["values"].float32_tensor.shape.append(3)
    empty = Record()
    empty.features["values"].float32_tensor.shape.append(3)
    frames = [recordio.frame(record.SerializeToString()) for record in (sparse, empty)]
    (part,) = parts([encode_table(table, RECORDIO) + b"".join(frames)][:1], RECORDIO, 3)[1:]
    assert part.table.dense.tolist() == [[0, 0, 7], [0, 0, 0]]
    assert part.first == 3
    with pytest.raises(UserError, match=r"part-0, record 2: expected 5 feature columns, got 3"):
        parts([framed(np.zeros(5, "<f4")) + frames[1]], RECORDIO, 5)


@pytest.mark.parametrize(
    ("media_type", "content", "columns", "text"),
    [
        (CSV, b"1,2,3,4\n", 3, r"part-0, line 1: expected 3 feature columns, got 4: .*set feature_dim .*label_size=1"),
        (CSV, b"1,2\n1,2,3\n", 2, r"part-0, line 2: expected 2 columns .* got 3"),
        ("text/csv;label_size=1", b"1,2\n", 2, r"expected 2 feature columns after the label, got 1"),
        (CSV, b"1,2\n3,x\n", 2, r"part-0, line 2, column 2: 'x' is not a number"),
        (RECORDIO, framed(np.zeros(785, "<f4")), 784, r"part-0, record 1: expected 784 feature columns, got 785"),
        (RECORDIO, framed(np.zeros(2, "<f4")) + b"\x0a\x23", 2, r"part-0, byte 32: .*truncated"),
        (RECORDIO, framed(np.zeros(2, "<f4")) * 2 + framed(np.full(2, 1e39)), 2, r"part-0, record 3: .*infinite"),
        (RECORDIO, framed(np.full(2, 1e39)), 2, r"part-0, record 1: .*infinite"),
        (RECORDIO, framed(np.zeros(2), [0.0]) + framed(np.zeros(2)), 2, None),
        (PARQUET, encode_table(Table(numbers(3, 4)), PARQUET), 3, r"expected 3 feature columns, got 4: .* feature_dim"),
    ],
)
def test_faults_are_named_by_their_place(media_type: str, content: bytes, columns: int, text: str | None) -> None:
    """recordio 8.15; rcf 28."""
    if text is None:
        assert [part.table.labels is None for part in parts([content], media_type, columns)] == [False, True]
        return
    with pytest.raises(UserError, match=text):
        parts([content], media_type, columns)


def test_places_count_from_one_and_past_the_label() -> None:
    (part,) = parts([b"1,2,3\n0,5,6\n"], "text/csv;label_size=1", 2)
    assert part.place(1) == "part-0, line 2"
    assert part.place(1, 1) == "part-0, line 2, column 3"


def test_a_type_that_is_not_read_in_parts() -> None:
    with pytest.raises(UnsupportedMediaType, match="text/libsvm"):
        parts([b""], "text/libsvm", 1)
