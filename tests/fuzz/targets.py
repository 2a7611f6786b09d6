"""What is fuzzed: each target takes bytes and may raise SagedockError, nothing else."""

from __future__ import annotations

import gzip
import json
import pickle
import shutil
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from sagedock.algorithms.blazingtext import fasttext_file, vectors_file
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.fasttext_file import Arguments, FastTextFile, Loss, Method
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.quantised_matrix import QuantisedMatrix, Quantiser
from sagedock.algorithms.deepar import requests as forecasts
from sagedock.algorithms.deepar.frequency import Frequency
from sagedock.algorithms.deepar.layout import Layout
from sagedock.algorithms.deepar.work import Work
from sagedock.contracts import archives, manifest, signatures
from sagedock.errors import UserError
from sagedock.formats import csv, instances, libsvm, parquet, records, requests
from sagedock.formats.media_types import (
    CSV,
    JSON,
    JSON_LINES,
    LIBSVM,
    PARQUET,
    PLAIN_TEXT,
    RECORDIO,
    negotiate,
    parse_media_type,
)
from sagedock.formats.table import Table
from tests.fuzz import decoded_pictures, hosts, pictures, topics
from tests.without_core import without_core

COLUMNS = 5


@dataclass(frozen=True)
class Target:
    """`run` takes one input; `seeds` are good ones, `tokens` what they are made of."""

    run: Callable[[bytes], object]
    seeds: Sequence[bytes]
    tokens: Sequence[bytes] = ()


def table(rows: int) -> Table:
    features = np.random.default_rng(rows).normal(size=(rows, COLUMNS)).astype(np.float32)
    return Table(features)


def request(content_type: str) -> Callable[[bytes], object]:
    media_type = parse_media_type(content_type)
    return lambda body: requests.decode(body, media_type).fitted_to(COLUMNS)


def outcome(run: Callable[[bytes], Table], body: bytes) -> tuple[str, bytes]:
    """What reading says, or the very bits of what it reads."""
    try:
        features = run(body).features
    except UserError as error:
        return str(error), b""
    dense = features if isinstance(features, np.ndarray) else features.toarray()
    missing = np.isnan(dense)
    return str(dense.shape), np.where(missing, np.float32(0), dense).tobytes() + missing.tobytes()


def both_ways(content_type: str) -> Callable[[bytes], object]:
    """The compiled core and Python read the same, or say the same."""
    run = request(content_type)

    def compare(body: bytes) -> None:
        compiled = outcome(run, body)
        with without_core():
            plain = outcome(run, body)
        assert compiled == plain, (compiled[0], plain[0])

    return compare


def media_types(text: bytes) -> None:
    decoded = text.decode("latin-1")
    for read in (parse_media_type, lambda accept: negotiate(accept, (CSV, JSON), CSV)):
        with suppress(UserError):
            read(decoded)


def read_forecast(content_type: str) -> Callable[[bytes], object]:
    """Whatever is read has as many features as points, past and future, and finite or missing targets."""
    layout = Layout(Frequency(2, "H"), 3, "beta", 1, 1, (2,), trained=True)
    settings = forecasts.Settings.of({forecasts.FORWARDED_VARIABLE: '["id"]'})
    work = Work(weights=1000, context=6, horizon=3)
    media_type = parse_media_type(content_type)

    def read(body: bytes) -> None:
        for series in forecasts.decode(body, media_type, layout, settings, work).series:
            assert series.dynamic_feat.shape == (1, len(series) + 3)
            assert np.isfinite(series.dynamic_feat).all()
            assert not np.isinf(series.target).any()
            assert 0 <= series.cat[0] < 2

    return read


def forecast_bytes() -> list[bytes]:
    """Good records, a line each."""
    records = [
        {"start": "2024-01-01 00:00:00", "target": [0.5, None, "NaN"], "cat": [1], "dynamic_feat": [[1.5] * 6]},
        {"start": "9999-12-31", "target": [], "cat": 0, "dynamic_feat": [[0, 1, 2]], "id": {"a": []}},
    ]
    return [json.dumps(record).encode() for record in records]


class Scratch:
    """A directory of one process, for targets that read files."""

    def __init__(self) -> None:
        self.top: Path | None = None

    @property
    def path(self) -> Path:
        if self.top is None:
            memory = Path("/dev/shm")
            self.top = Path(tempfile.mkdtemp(prefix="fuzz-", dir=memory if memory.is_dir() else None))
        return self.top

    def remove(self) -> None:
        if self.top is not None:
            shutil.rmtree(self.top)


SCRATCH = Scratch()


def read_manifest(content: bytes) -> None:
    (SCRATCH.path / manifest.NAME).write_bytes(content)
    manifest.read(SCRATCH.path)


def unpack(content: bytes) -> None:
    """Whatever happens, nothing is beside the archive but what it unpacked to."""
    archive, target = SCRATCH.path / "model.tar", SCRATCH.path / "model"
    archive.write_bytes(content)
    try:
        archives.unpack(archive, target, archives.Limits(size_bytes=1 << 24, free_bytes=1 << 20))
        for path in target.rglob("*"):
            assert path.is_dir() or path.is_file()
            assert not path.is_symlink()
        assert any(path.is_file() for path in target.rglob("*"))
        shutil.rmtree(target)
    finally:
        names = sorted(path.name for path in SCRATCH.path.iterdir())
        assert names == ["model.tar"], names


def recognise(content: bytes) -> None:
    file = SCRATCH.path / "file"
    file.write_bytes(content)
    kind = signatures.recognise(file)
    assert not (kind.safe and content[:1] == b"\x80" and b"{" not in content[:9])


def read_fasttext(content: bytes) -> None:
    """Whatever is read can be used to its last number."""
    file = SCRATCH.path / "model.bin"
    file.write_bytes(content)
    model = fasttext_file.read(file)
    for matrix in (model.input, model.output):
        values = matrix.codes if isinstance(matrix, QuantisedMatrix) else matrix.view(np.uint32)
        values.max(initial=0)
    model.dictionary.line(b"ab cd __label__x")


def read_vectors(content: bytes) -> None:
    file = SCRATCH.path / "vectors.txt"
    file.write_bytes(content)
    found = vectors_file.read(file)
    assert len(found.words) == len(found.values)


def fasttext_bytes(method: Method, *, quantised: bool = False) -> bytes:
    """A model of three words, two labels and five buckets."""
    ngrams = Ngrams(buckets=5, min_char=2, max_char=3, word_ngrams=2)
    labels = [b"__label__x", b"__label__y"] if method == Method.SUPERVISED else []
    kept = {4: 0, 1: 1} if quantised else None
    counts = np.arange(3 + len(labels), dtype=np.int64)
    dictionary = Dictionary([b"ab", b"cd", b"</s>"], labels, counts, 9, ngrams, kept=kept)
    arguments = Arguments(2, 5, 5, 1, 5, 2, Loss.SOFTMAX, method, 5, 2, 3, 100, 1e-4)
    matrix: Any = np.ones((dictionary.rows, 2), np.float32)
    if quantised:
        norms = Quantiser(1, 1, 1, np.ones(256, np.float32))
        codes = np.zeros((dictionary.rows, 1), np.uint8)
        matrix = QuantisedMatrix(codes, Quantiser(2, 2, 2, np.ones(512, np.float32)), codes[:, 0], norms)
    output = np.ones((len(labels) or 3, 2), np.float32)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "model.bin"
        fasttext_file.write(file, FastTextFile(arguments, dictionary, matrix, output))
        return file.read_bytes()


def tar_of(form: int, *, gzipped: bool = False) -> bytes:
    buffer = BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz" if gzipped else "w", format=form) as archive:
        for name in ("./a", "model/xgboost-model", "é" * 60, "long/" * 30 + "name"):
            info = tarfile.TarInfo(name)
            info.size = 700
            with suppress(ValueError):
                archive.addfile(info, BytesIO(b"x" * 700))
    return buffer.getvalue()[:12_000]


def npz(**arrays: object) -> bytes:
    buffer = BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def _manifest() -> bytes:
    document = {
        "algorithm": "xgboost",
        "format_version": 1,
        "versions": {"python": "3.11"},
        "hyperparameters": {"eta": "0.1"},
        "model": {"feature_count": 5, "decision": {"cut_off": 0.5}},
        "files": {},
    }
    return json.dumps(document).encode()


def _lines(rows: Iterable[bytes]) -> bytes:
    return b"\n".join(rows) + b"\n"


CSV_SEEDS = (
    csv.encode(table(1)),
    csv.encode(table(7)),
    b"1,2,3,4,5\r\n,,,,\r\nnan,1e5,-0.5,+3,0\r\n",
    b'"1","2",3,"4",5\n',
    b"1;2;3;4;5\n1\t2\t3\t4\t5\n",
    _lines([b"0.1,0.2,0.3,0.4,0.5"] * 40),
)
CSV_TOKENS = (
    b",",
    b"\n",
    b"\r\n",
    b'"',
    b"e",
    b"E+",
    b"-",
    b".",
    b" ",
    b";",
    b"\t",
    b"nan",
    b"NaN",
    b"\xef\xbb\xbf",
    b"\0",
    b"a:",
)
LIBSVM_SEEDS = (
    libsvm.encode(table(1)),
    libsvm.encode(table(7)),
    b"0:1 1:2 4:-0.5\n\n1 0:1\n",
    b"1:0.5 qid:3 2:1\n",
    b"1 qid:7 0:1 1:2 # words\n",
)
LIBSVM_TOKENS = (b":", b" ", b"\n", b"qid:", b"#", b"e", b"-", b".", b"\r\n", b"0:", b"4:", b"\t", b"\0")
JSON_SEEDS = (
    instances.encode(table(2), lined=False),
    b'{"instances": [{"features": [1, 2, 3, null, 5]}, [1, 2, 3, 4, 5]]}',
    b'{"instances": [{"data": {"features": {"values": [1.5, 16.0, 14.0, 23.0, 1]}}}]}',
    b'{"instances": [{"data": {"features": {"keys": [0, 4], "shape": [5], "values": [1.5, 2]}}}]}',
)
JSON_TOKENS = (
    b"[",
    b"]",
    b"{",
    b"}",
    b",",
    b":",
    b'"',
    b"null",
    b"true",
    b"NaN",
    b'"features"',
    b'"keys"',
    b'"shape"',
    b"[" * 900,
)
LINES_SEEDS = (instances.encode(table(3), lined=True), b'{"features": [1, 2, 3, 4, 5]}\n\n[1,2,3,4,5]\n')
PARQUET_SEEDS = (parquet.encode(table(1)), parquet.encode(table(30)))
RECORDIO_SEEDS = (records.encode(table(1)), records.encode(table(4)))
FASTTEXT_SEEDS = (
    fasttext_bytes(Method.SUPERVISED),
    fasttext_bytes(Method.SKIPGRAM),
    fasttext_bytes(Method.SUPERVISED, quantised=True),
)
VECTOR_SEEDS = (b"2 3\nab 1 -2.5 3e-5\nc\xc3\xa9 0 0.1 7\n", b"1 1\nab 1 \n")
FORECAST_LINES = forecast_bytes()
FORECAST_SEEDS = (
    b'{"instances": [%b], "configuration": {"num_samples": 5, "output_types": ["mean", "quantiles"], '
    b'"quantiles": ["0.1", 0.9]}}' % b",".join(FORECAST_LINES),
)
FORECAST_TOKENS = (*JSON_TOKENS, b'"target"', b'"cat"', b'"start"', b'"dynamic_feat"', b"1e39", b"-1", b"2024-02-30")
MEDIA_SEEDS = (
    b"text/csv; charset=utf-8; label_size=0",
    b'application/json;a="b\\"c"',
    b"text/*;q=0.5, */*;q=0.1, application/json",
)
TAR_SEEDS = (
    tar_of(tarfile.USTAR_FORMAT),
    tar_of(tarfile.GNU_FORMAT),
    tar_of(tarfile.PAX_FORMAT),
    gzip.compress(tar_of(tarfile.PAX_FORMAT)),
)
FILE_SEEDS = (
    pickle.dumps({"a": [1, 2]}, protocol=0),
    pickle.dumps(np.arange(3), protocol=4),
    gzip.compress(pickle.dumps([1], protocol=2)),
    npz(a=np.zeros(3)),
    npz(a=np.array([{}], dtype=object)),
    b"\x10\0\0\0\0\0\0\0{" + b" " * 15,
    b'{"learner": {}}',
)

TARGETS = {
    "csv": Target(both_ways(CSV), CSV_SEEDS, CSV_TOKENS),
    "libsvm": Target(both_ways(LIBSVM), LIBSVM_SEEDS, LIBSVM_TOKENS),
    "json": Target(request(JSON), JSON_SEEDS, JSON_TOKENS),
    "jsonlines": Target(request(JSON_LINES), LINES_SEEDS, JSON_TOKENS),
    "recordio": Target(request(RECORDIO), RECORDIO_SEEDS, (b"\x0a\x23\xd7\xce", b"values")),
    "parquet": Target(request(PARQUET), PARQUET_SEEDS, (b"PAR1", b"\x15", b"\x00")),
    "forecasts": Target(read_forecast(JSON), FORECAST_SEEDS, FORECAST_TOKENS),
    "forecast-lines": Target(read_forecast(JSON_LINES), (b"\n".join(FORECAST_LINES),), FORECAST_TOKENS),
    "media-types": Target(media_types, MEDIA_SEEDS, (b";", b"q=", b"=", b'"', b"\\", b",", b"/", b"*")),
    "manifest": Target(read_manifest, (_manifest(),), JSON_TOKENS),
    "archives": Target(unpack, TAR_SEEDS, (b"ustar\0" + b"00", b"../", b"/", b"path=", b"size=", bytes(512))),
    "fasttext": Target(read_fasttext, FASTTEXT_SEEDS, (b"__label__", b"</s>", b"\0")),
    "vectors": Target(read_vectors, VECTOR_SEEDS, (b" ", b"\n", b"e", b"nan", b"_", b"\t")),
    "signatures": Target(recognise, FILE_SEEDS, (b"PK\x03\x04", b"\x93NUMPY", b"\x80\x04", b"cos\nsystem\n", b".")),
    "handshake": Target(hosts.handshake, hosts.HANDSHAKE_SEEDS, (b"sagedock", bytes(32))),
    "counts-csv": Target(topics.request(CSV), topics.CSV_SEEDS, CSV_TOKENS),
    "counts-json": Target(topics.request(JSON), topics.JSON_SEEDS, (*JSON_TOKENS, b"-1", b"0.5", b'"text"')),
    "counts-jsonlines": Target(topics.request(JSON_LINES), topics.LINES_SEEDS, (*JSON_TOKENS, b"-1", b"0.5", b"\n")),
    "counts-recordio": Target(topics.request(RECORDIO), topics.RECORDIO_SEEDS, (b"\x0a\x23\xd7\xce", b"values")),
    "counts-text": Target(topics.request(PLAIN_TEXT), topics.TEXT_SEEDS, (b"apple", b"\n", b"\xff")),
    "counts-csv-channel": Target(topics.training(CSV, lambda: SCRATCH.path), topics.CSV_SEEDS, CSV_TOKENS),
    "counts-recordio-channel": Target(topics.training(RECORDIO, lambda: SCRATCH.path), topics.RECORDIO_SEEDS),
    "embeddings": Target(topics.read_embeddings(lambda: SCRATCH.path), topics.EMBEDDING_SEEDS, (b" ", b"\n", b"nan")),
    "vocabulary": Target(topics.read_vocabulary, topics.VOCABULARY_SEEDS, JSON_TOKENS),
    "picture-records": Target(pictures.read_file(lambda: SCRATCH.path), pictures.FILE_SEEDS, pictures.RECORD_TOKENS),
    "picture-streams": Target(pictures.read_stream, pictures.STREAM_SEEDS, pictures.STREAM_TOKENS),
    "picture-lists": Target(pictures.read_line, pictures.LINE_SEEDS, pictures.LINE_TOKENS),
    "decoded-pictures": Target(decoded_pictures.read, decoded_pictures.SEEDS, decoded_pictures.TOKENS),
    "frames": Target(hosts.frames, hosts.FRAME_SEEDS, (b"SDFR", b"SDFR\x08", bytes(8))),
}
