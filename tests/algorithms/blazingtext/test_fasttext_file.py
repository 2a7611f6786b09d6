"""fastText's files read and written: what fastText writes comes back byte for byte, and nothing hostile is believed."""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sagedock.algorithms.blazingtext import fasttext_file
from sagedock.algorithms.blazingtext.dictionary import Dictionary
from sagedock.algorithms.blazingtext.fasttext_file import Arguments, FastTextFile, Loss, Method
from sagedock.algorithms.blazingtext.ngrams import Ngrams
from sagedock.algorithms.blazingtext.quantised_matrix import QuantisedMatrix
from sagedock.contracts import signatures
from sagedock.errors import ModelError
from tests.algorithms.blazingtext import fasttexts

SMALL = {"dim": 10, "bucket": 500}
MODELS = {
    "classifier of words": ("supervised", {"dim": 10}, None),
    "classifier of n-grams": ("supervised", {**SMALL, "wordNgrams": 2, "minn": 2, "maxn": 4}, None),
    "hierarchical softmax": ("supervised", {"dim": 10, "loss": "hs"}, None),
    "one against all": ("supervised", {"dim": 10, "loss": "ova"}, None),
    "skipgram": ("skipgram", SMALL, None),
    "cbow without subwords": ("cbow", {"dim": 7, "maxn": 0, "loss": "ns"}, None),
    "quantised": ("supervised", {**SMALL, "wordNgrams": 2}, {}),
    "quantised with norms": ("supervised", {**SMALL, "wordNgrams": 2}, {"qnorm": True, "dsub": 3}),
    "pruned": ("supervised", {**SMALL, "wordNgrams": 2}, {"cutoff": 400, "retrain": True}),
    "quantised output": ("supervised", SMALL, {"qout": True}),
}


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A model of each kind, by fastText."""
    folder = tmp_path_factory.mktemp("fasttext")
    found = {}
    for name, (method, arguments, quantise) in MODELS.items():
        many = quantise is not None  # quantisation wants 256 rows
        lines = fasttexts.lines(1200 if many else 300, labels=300 if many else 3, vocabulary=400 if many else 200)
        found[name] = fasttexts.train(folder / f"{name}.bin", method, lines, quantise, **arguments)
    return found


@pytest.mark.parametrize("name", MODELS)
def test_what_fasttext_wrote_comes_back_byte_for_byte(name: str, models: dict[str, Path], tmp_path: Path) -> None:
    """Issue 5 item 1; blazingtext 16."""
    model = fasttext_file.read(models[name])
    fasttext_file.write(tmp_path / "again.bin", model)
    assert (tmp_path / "again.bin").read_bytes() == models[name].read_bytes()


@pytest.mark.parametrize("name", MODELS)
def test_words_labels_and_vectors_are_fasttexts(name: str, models: dict[str, Path]) -> None:
    model, peer = fasttext_file.read(models[name]), fasttexts.load(models[name])
    assert [word.decode() for word in model.dictionary.words] == peer.words
    assert model.arguments.dim == peer.get_dimension()
    if model.arguments.method == Method.SUPERVISED:
        assert [label.decode() for label in model.dictionary.labels] == peer.labels
    if not model.quantised:
        assert np.array_equal(model.input, peer.get_input_matrix())
        assert np.array_equal(model.output, peer.get_output_matrix())
    assert model.quantised == (MODELS[name][2] is not None) == isinstance(model.input, QuantisedMatrix)


def test_a_pruned_dictionary_says_which_buckets_are_left(models: dict[str, Path]) -> None:
    model = fasttext_file.read(models["pruned"])
    assert model.dictionary.kept
    assert model.dictionary.rows == 400 == model.input.shape[0]


def test_version_11_classifiers_have_no_subwords(models: dict[str, Path], tmp_path: Path) -> None:
    """Spec section 7.3."""
    content = bytearray(models["classifier of n-grams"].read_bytes())
    struct.pack_into("<i", content, 4, 11)
    (tmp_path / "old.bin").write_bytes(content)
    old, new = fasttext_file.read(tmp_path / "old.bin"), fasttext_file.read(models["classifier of n-grams"])
    assert (new.dictionary.ngrams.max_char, old.dictionary.ngrams.max_char) == (4, 0)
    assert np.array_equal(old.input, new.input)


@pytest.mark.parametrize("name", MODELS)
def test_a_truncated_file_is_refused_wherever_it_ends(name: str, models: dict[str, Path], tmp_path: Path) -> None:
    """Bad input: a .bin truncated."""
    content = models[name].read_bytes()
    ends = [*range(0, min(len(content), 400), 3), *range(400, len(content), len(content) // 60), len(content) - 1]
    for end in ends:
        (tmp_path / "part.bin").write_bytes(content[:end])
        with pytest.raises(ModelError, match=r"part\.bin is (empty|damaged)"):
            fasttext_file.read(tmp_path / "part.bin")


def test_bytes_behind_the_end_are_refused(models: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "long.bin").write_bytes(models["skipgram"].read_bytes() + b"\0")
    with pytest.raises(ModelError, match="1 bytes follow its end"):
        fasttext_file.read(tmp_path / "long.bin")


HEADER = {
    "magic": (0, "<i"),
    "version": (4, "<i"),
    "dim": (8, "<i"),
    "loss": (32, "<i"),
    "method": (36, "<i"),
    "buckets": (40, "<i"),
    "entries": (64, "<i"),
    "words": (68, "<i"),
    "labels": (72, "<i"),
    "tokens": (76, "<q"),
    "kept buckets": (84, "<q"),
}


ODD = [(field, value) for field in HEADER for value in (-(2**31), -1, 0, 2**31 - 1)]


@pytest.mark.parametrize(("field", "value"), [*ODD, ("tokens", -(2**63)), ("kept buckets", 2**63 - 1)])
def test_absurd_numbers_in_the_header_are_refused(
    field: str, value: int, models: dict[str, Path], tmp_path: Path
) -> None:
    """Bad input: absurd sizes in its header. What follows from none of them alone may stay."""
    place, layout = HEADER[field]
    content = bytearray(models["skipgram"].read_bytes())
    struct.pack_into(layout, content, place, value)
    (tmp_path / "odd.bin").write_bytes(content)
    if (field, value) in {("tokens", 0), ("tokens", 2**31 - 1), ("kept buckets", -1)}:
        fasttext_file.read(tmp_path / "odd.bin")
        return
    with pytest.raises(ModelError, match=r"odd\.bin is damaged or no fastText model"):
        fasttext_file.read(tmp_path / "odd.bin")


@pytest.mark.parametrize(("place", "says"), [(28, "n-grams of 2000000000 words"), (48, "2000000000 characters")])
def test_absurdly_long_ngrams_in_the_header_are_refused(
    place: int, says: str, models: dict[str, Path], tmp_path: Path
) -> None:
    """A request could not be answered in time or memory by such a model."""
    content = bytearray(models["skipgram"].read_bytes())
    struct.pack_into("<i", content, place, 2_000_000_000)
    (tmp_path / "odd.bin").write_bytes(content)
    with pytest.raises(ModelError, match=says):
        fasttext_file.read(tmp_path / "odd.bin")


def test_absurd_sizes_are_refused_before_anything_is_allocated(models: dict[str, Path], tmp_path: Path) -> None:
    """Bad input: refused before allocating. In a process that may have little more than it has already."""
    content = models["skipgram"].read_bytes()
    matrix = content.index(struct.pack("<b2q", 0, 500 + len(fasttexts.load(models["skipgram"]).words), 10)) + 1
    for name, place, layout, value in [
        ("entries", 64, "<2i", (1 << 30, 1 << 30)),
        ("rows", matrix, "<q", (1 << 40,)),
        ("columns", matrix + 8, "<q", (1 << 40,)),
        ("kept", 84, "<q", (1 << 60,)),
    ]:
        odd = bytearray(content)
        struct.pack_into(layout, odd, place, *value)
        (tmp_path / f"{name}.bin").write_bytes(odd)
    program = (
        "import resource, sys\nfrom pathlib import Path\n"
        "from sagedock.algorithms.blazingtext import fasttext_file\nfrom sagedock.errors import ModelError\n"
        "used = int(Path('/proc/self/statm').read_text().split()[0]) * resource.getpagesize()\n"
        "resource.setrlimit(resource.RLIMIT_AS, (used + (64 << 20),) * 2)\n"
        "for name in sys.argv[1:]:\n    try:\n        fasttext_file.read(Path(name))\n"
        "    except ModelError:\n        print('refused')\n"
    )
    files = sorted(tmp_path.glob("*.bin"))
    ran = subprocess.run([sys.executable, "-c", program, *map(str, files)], capture_output=True, text=True, check=False)
    assert ran.stdout.split() == ["refused"] * len(files), ran.stderr


def test_matrices_are_mapped_and_not_read(tmp_path: Path) -> None:
    """Requirement of a large model: a file of 100 MB is opened in little memory."""
    ngrams = Ngrams(buckets=250_000, word_ngrams=2)
    dictionary = Dictionary([b"a"], [b"__label__x"], np.array([1, 1]), 2, ngrams)
    model = FastTextFile(
        _arguments(100, ngrams), dictionary, np.zeros((dictionary.rows, 100), "f4"), np.ones((1, 100), "f4")
    )
    fasttext_file.write(tmp_path / "large.bin", model)
    program = (
        "import sys\nfrom pathlib import Path\nfrom sagedock.algorithms.blazingtext import fasttext_file\n"
        "from tests.memory import kilobytes\nbefore = kilobytes('VmRSS')\n"
        "model = fasttext_file.read(Path(sys.argv[1]))\n"
        "assert not model.input[model.dictionary.rows // 2].any() and model.output.all()\n"
        "print(kilobytes('VmHWM') - before)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "large.bin")]
    grown = int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    assert grown < 20_000, "kilobytes"


@pytest.mark.parametrize("name", MODELS)
def test_the_kind_of_the_file_is_known_by_its_beginning(name: str, models: dict[str, Path]) -> None:
    assert signatures.recognise(models[name]) is signatures.FASTTEXT
    signatures.require_safe(models[name])


def _arguments(dim: int, ngrams: Ngrams, method: Method = Method.SUPERVISED) -> Arguments:
    return Arguments(
        dim=dim,
        window_size=5,
        epochs=5,
        min_count=1,
        negatives=5,
        word_ngrams=ngrams.word_ngrams,
        loss=Loss.SOFTMAX if method == Method.SUPERVISED else Loss.NEGATIVE_SAMPLING,
        method=method,
        buckets=ngrams.buckets,
        min_char=ngrams.min_char,
        max_char=ngrams.max_char,
        update_rate=100,
        sampling_threshold=1e-4,
    )


TOKENS = st.binary(min_size=1, max_size=12).filter(lambda token: not set(token) & set(b" \n\r\t\v\f\0"))


@st.composite
def files(draw: st.DrawFn) -> FastTextFile:
    """Any model, its matrices of any bits."""
    tokens = draw(st.lists(TOKENS, min_size=1, max_size=20, unique=True))
    method = draw(st.sampled_from(Method))
    labels = [b"__label__" + token for token in tokens[len(tokens) // 2 :]] if method == Method.SUPERVISED else []
    words = tokens[: len(tokens) // 2] if labels else tokens
    counts = draw(st.lists(st.integers(0, 2**62), min_size=len(words) + len(labels), max_size=len(words) + len(labels)))
    ngrams = draw(
        st.sampled_from([Ngrams(), Ngrams(buckets=7, min_char=2, max_char=3), Ngrams(buckets=4, word_ngrams=3)])
    )
    dictionary = Dictionary(words, labels, np.array(counts, np.int64), draw(st.integers(0, 2**62)), ngrams)
    dim = draw(st.integers(1, 5))
    bits = np.random.default_rng(draw(st.integers(0, 9)))

    def matrix(rows: int) -> np.ndarray:
        return bits.integers(0, 2**32, (rows, dim), np.uint32).view(np.float32)

    outputs = len(labels if method == Method.SUPERVISED else words)
    return FastTextFile(_arguments(dim, ngrams, method), dictionary, matrix(dictionary.rows), matrix(outputs))


@given(files())
def test_any_model_comes_back(tmp_path_factory: pytest.TempPathFactory, model: FastTextFile) -> None:
    file = tmp_path_factory.getbasetemp() / "any.bin"
    fasttext_file.write(file, model)
    found = fasttext_file.read(file)
    assert found.arguments == model.arguments
    assert replace(found.dictionary, counts=model.dictionary.counts) == model.dictionary
    assert np.array_equal(found.dictionary.counts, model.dictionary.counts)
    for given_one, found_one in ((model.input, found.input), (model.output, found.output)):
        assert np.asarray(given_one).tobytes() == np.asarray(found_one).tobytes()
