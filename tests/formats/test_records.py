"""Protobuf Records: recordio 8.1 to 8.3, 8.9 to 8.16, 8.20, golden bytes of section 3."""

import io
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from google.protobuf import descriptor_pb2

import sagedock.formats
from sagedock.contracts.channels import Source
from sagedock.errors import UserError
from sagedock.formats import record_pb2, recordio, records, responses
from sagedock.formats.record_pb2 import Record
from sagedock.formats.table import Predictions, RecordIdentity, Table

DENSE = bytes.fromhex(
    "0a23d7ce2c0000000a160a0676616c756573120c120a0a080000803f0000004012120a0676616c756573120812060a040000803f"
)
SPARSE = bytes.fromhex("0a23d7ce210000000a1f0a0676616c756573121512130a08000040400000a040120301ac021a02d00f000000")
SCORE = bytes.fromhex("0a23d7ce1300000012110a0573636f7265120812060a040000803e00")
INT32 = "0a190a0676616c756573120f3a0d0a0bffffffffffffffffff01071a03616263"
FLOAT64 = "0a160a0676616c756573120c1a0a0a08000000000000f83f"
EMPTY_SPARSE = "0a0f0a0676616c756573120512031a0104"
UNPACKED = "0a160a0676616c756573120c120a0d0000803f0d00000040"


def framed(payload):
    return recordio.frame(bytes.fromhex(payload))


def train(data):
    return records.read([Source("train.pbr", lambda: io.BytesIO(data))])


def record(**features):
    made = Record()
    made.features["values"].float32_tensor.MergeFrom(record_pb2.Float32Tensor(**features))
    return made


def test_the_dense_golden_frame():
    """Recordio 8.1 and, with labels, the training reader."""
    assert records.decode(DENSE).features.tolist() == [[1.0, 2.0]]
    table = train(DENSE)
    assert (table.features.tolist(), table.labels.tolist()) == ([[1.0, 2.0]], [1.0])
    assert table.features.dtype == table.labels.dtype == np.float32


def test_the_sparse_golden_frame():
    """Recordio 8.2."""
    row = records.decode(SPARSE).features
    assert row.shape == (1, 2000)
    expected = np.zeros(2000, dtype=np.float32)
    expected[[1, 300]] = [3, 5]
    assert np.array_equal(row.toarray()[0], expected)


def test_writing_reproduces_the_golden_bytes():
    """Recordio 8.3."""
    assert records.encode(train(DENSE)) == DENSE
    assert records.encode(records.decode(SPARSE)) == SPARSE


def test_the_golden_answer():
    """Recordio 8.20."""
    predictions = Predictions({"score": np.array([0.25], dtype=np.float32)})
    assert responses.encode(predictions, "application/x-recordio-protobuf") == SCORE


def test_every_numeric_tensor_is_read_for_features_and_labels():
    """Recordio 8.9 and 8.16."""
    assert records.decode(framed(INT32)).features.tolist() == [[-1.0, 7.0]]
    assert records.decode(framed(FLOAT64)).features.tolist() == [[1.5]]
    made = Record()
    made.features["values"].float64_tensor.values.extend([0.1, 2])
    made.label["values"].int32_tensor.values.append(-3)
    table = train(recordio.frame(made.SerializeToString()))
    assert np.array_equal(table.features, np.array([[0.1, 2]], dtype=np.float32))
    assert table.labels.tolist() == [-3.0]


def test_a_sparse_row_without_entries_keeps_its_width():
    """Recordio 8.10: four columns; a model of another width refuses or, for missing values, widens it."""
    table = records.decode(framed(EMPTY_SPARSE))
    assert table.features.toarray().tolist() == [[0.0] * 4]
    assert table.columns == 4
    with pytest.raises(UserError, match="expected 3 feature columns, got 4"):
        table.fitted_to(3)


def test_unpacked_values_are_read():
    """Recordio 8.12."""
    assert records.decode(framed(UNPACKED)).features.tolist() == [[1.0, 2.0]]


def test_keys_must_match_values_and_shape():
    """Recordio 8.11."""
    for features, text in [
        ({"values": [1.0], "keys": [1, 2], "shape": [5]}, "row 2: 2 keys for 1 values"),
        ({"values": [1.0], "keys": [5], "shape": [5]}, "row 2: key 5 is not below 5"),
        ({"values": [1.0], "keys": [2**64 - 1], "shape": [5]}, "row 2: key 18446744073709551615"),
        ({"values": [1.0], "keys": [1]}, "row 2: .*need a shape"),
        ({"values": [1.0, 2.0], "keys": [1, 1], "shape": [5]}, "row 2: column 1 is given twice"),
        ({"values": [float("inf")], "keys": [1], "shape": [5]}, "row 2: .*infinite"),
    ]:
        body = recordio.frame(record(shape=[5]).SerializeToString())
        with pytest.raises(UserError, match=text) as caught:
            records.decode(body + recordio.frame(record(**features).SerializeToString()))
        assert caught.value.row == 2


def test_bytes_are_refused_by_name():
    """Recordio 8.13."""
    made = Record()
    made.features["values"].bytes.value.append(b"x")
    with pytest.raises(UserError, match="features hold bytes"):
        records.decode(recordio.frame(made.SerializeToString()))
    made = record(values=[1.0])
    made.label["values"].bytes.value.append(b"x")
    with pytest.raises(UserError, match=r"train.pbr, record 1 at byte 0: label hold bytes"):
        train(recordio.frame(made.SerializeToString()))


def test_uid_and_metadata_are_echoed():
    """Recordio 8.14."""
    first, second = record(values=[1.0]), record(values=[2.0])
    first.uid, first.metadata = "abc", "{}"
    table = records.decode(b"".join(recordio.frame(made.SerializeToString()) for made in (first, second)))
    assert table.identities == [RecordIdentity("abc", "{}"), RecordIdentity()]
    predictions = Predictions({"score": np.array([1, 2], dtype=np.float32)}, identities=table.identities)
    answer = responses.encode(predictions, "application/x-recordio-protobuf")
    answers = [Record.FromString(frame.payload) for frame in recordio.read(io.BytesIO(answer), "")]
    assert (answers[0].uid, answers[0].metadata) == ("abc", "{}")
    assert not answers[1].HasField("uid")
    assert answers[1].label["score"].float32_tensor.values == [2.0]


def test_a_dense_row_of_the_wrong_length_names_both_numbers():
    """Recordio 8.15."""
    table = records.decode(recordio.frame(record(values=[0.0] * 785).SerializeToString()))
    with pytest.raises(UserError, match=r"784.*785"):
        table.fitted_to(784)
    body = recordio.frame(record(values=[0.0] * 784).SerializeToString())
    with pytest.raises(UserError, match=r"row 2: expected 784 .* got 785"):
        records.decode(body + recordio.frame(record(values=[0.0] * 785).SerializeToString()))


def test_a_file_that_the_sdk_wrote_is_read(tmp_path):
    """Recordio 8.16: the SDK frames without splitting and writes float64 for NumPy's default."""
    path = tmp_path / "sdk.pbr"
    rows = np.random.default_rng(0).normal(size=(3, 4))
    with path.open("wb") as file:
        for row in rows:
            made = Record()
            made.features["values"].float64_tensor.values.extend(row)
            made.label["values"].int32_tensor.values.append(1)
            payload = made.SerializeToString()
            file.write(bytes.fromhex("0a23d7ce") + len(payload).to_bytes(4, "little") + payload)
            file.write(bytes(-len(payload) % 4))
    table = records.read([Source(str(path), lambda: path.open("rb"), path)])
    assert np.array_equal(table.features, rows.astype(np.float32))


def test_a_truncated_file_is_named_with_its_offset():
    with pytest.raises(UserError, match=r"train.pbr, byte 52: .*truncated"):
        train(DENSE + DENSE[:-5])


def test_rows_that_do_not_fit_are_named_with_their_file():
    first = Source("a.pbr", lambda: io.BytesIO(DENSE))
    second = Source("b.pbr", lambda: io.BytesIO(DENSE + recordio.frame(labelled([1.0]).SerializeToString())))
    with pytest.raises(UserError, match=r"b.pbr, record 2: expected 2 feature columns .* got 1"):
        records.read([first, second])


def labelled(values):
    made = record(values=values)
    made.label["values"].float32_tensor.values.append(0)
    return made


def test_labels_are_all_or_none():
    with pytest.raises(UserError, match="label all or none"):
        train(DENSE + recordio.frame(record(values=[1.0, 2.0]).SerializeToString()))
    assert train(recordio.frame(record(values=[1.0]).SerializeToString())).labels is None


def test_a_table_of_both_kinds_refuses_a_model_of_another_width():
    dense = recordio.frame(record(values=[1.0, 0.0, 2.0]).SerializeToString())
    sparse = recordio.frame(record(values=[5.0], keys=[1], shape=[3]).SerializeToString())
    table = records.decode(dense + sparse)
    assert table.features.toarray().tolist() == [[1, 0, 2], [0, 5, 0]]
    assert table.features.nnz == 4  # the dense row's zero is a value
    with pytest.raises(UserError, match="expected 4"):
        table.fitted_to(4)


def test_the_compiled_schema_is_the_protos(tmp_path):
    protoc = shutil.which("protoc")
    command = [protoc] if protoc else [sys.executable, "-m", "grpc_tools.protoc"]
    folder = Path(sagedock.formats.__file__).parent
    out = tmp_path / "set"
    done = subprocess.run(
        [*command, f"-I{folder}", f"--descriptor_set_out={out}", "record.proto"], check=False, stderr=subprocess.DEVNULL
    )
    if done.returncode:
        pytest.skip("no protoc here: install protobuf-compiler or grpcio-tools")
    files = descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file
    ours = descriptor_pb2.FileDescriptorProto.FromString(record_pb2.DESCRIPTOR.serialized_pb)
    assert strip(files[0]) == strip(ours)


def strip(file):
    """Without json_name, which protoc fills in and compiled files leave out."""
    for message in file.message_type:
        for part in (message, *message.nested_type):
            for field in part.field:
                field.ClearField("json_name")
    return file


def test_an_empty_table_is_written_empty():
    assert records.encode(Table(np.zeros((0, 3), dtype=np.float32))) == b""
