"""Models as they answer: ours in fastText and gensim, theirs here, and directories that hold none or several."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import gensim
import numpy as np
import pytest

from sagedock.contracts.archives import unpack
from sagedock.contracts.hosting import HostingSettings
from sagedock.contracts.paths import Paths
from sagedock.errors import ModelError
from sagedock.local.artefacts import pack
from sagedock.serving.loading import Loaded, load
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import job
from tests.architecture.test_imports import imported
from tests.platform import Job

JSON, LINES = "application/json", "application/jsonlines"
SERVING = """
from pathlib import Path
from sagedock.serving import server, service, worker
from sagedock.contracts.archives import unpack
from sagedock.contracts.hosting import HostingSettings
from sagedock.serving.loading import load
loaded = load(Path(sys.argv[1]) / "model", None, HostingSettings())
assert loaded.invoke(b'{"instances": ["a"]}', "application/json", None).status == 200
"""


def serve(directory: Path, algorithm: str | None = None) -> Loaded:
    return load(directory, algorithm, HostingSettings())


def ask(loaded: Loaded, texts: list[str], k: int | None = None) -> list[dict[str, Any]]:
    document = {"instances": texts} | ({} if k is None else {"configuration": {"k": k}})
    answer = loaded.invoke(json.dumps(document).encode(), JSON, None)
    assert answer.content_type == JSON
    return json.loads(answer.body)


def sentences() -> list[str]:
    """Texts of known and unknown words, labels among them, and none at all."""
    found = [line.partition(" ")[2] for line in fasttexts.lines(60, seed=9)]
    return [*found, "", "   ", "unheard of", "__label__1", f"{found[0]} nothing\tknown\x00here", "</s> " + found[1]]


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> Job:
    made = job(tmp_path_factory.mktemp("classifier"), epochs="10", word_ngrams="2")
    assert made.run() == 0, made.failure
    return made


@pytest.fixture(scope="module", params=["skipgram", "cbow", "batch_skipgram", "skipgram with subwords"])
def vectors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Job:
    mode, _, subwords = request.param.partition(" ")
    made = job(tmp_path_factory.mktemp(mode), mode, epochs="2", **({"subwords": "True"} if subwords else {}))
    assert made.run() == 0, made.failure
    return made


def test_classifier_answers(classifier: Job) -> None:
    """blazingtext 11, 12: a bare list of prob and label; as many as asked for, at most all; the best first."""
    loaded = serve(classifier.model)
    for k, count in ((None, 1), (1, 1), (2, 2), (3, 3), (50, 3), (2**40, 3)):
        for answer in ask(loaded, sentences(), k):
            assert list(answer) == ["prob", "label"]
            assert len(answer["prob"]) == len(answer["label"]) == count
            assert all(label.startswith("__label__") for label in answer["label"])
            assert answer["prob"] == sorted(answer["prob"], reverse=True)
            if count == 3:
                assert sum(answer["prob"]) == pytest.approx(1, abs=1e-3)


def test_an_empty_text_gets_one_answer(classifier: Job) -> None:
    """blazingtext 28"""
    (answer,) = ask(serve(classifier.model), [""])
    assert len(answer["label"]) == 1


def test_lines_have_a_k_each(classifier: Job) -> None:
    """blazingtext 13"""
    loaded, texts = serve(classifier.model), sentences()[:4]
    body = "\n".join(json.dumps({"source": text, "k": k}) for text, k in zip(texts, (1, 2, 3, 99), strict=True))
    answer = loaded.invoke(body.encode(), LINES, None)
    assert answer.content_type == LINES
    found = [json.loads(line) for line in answer.body.splitlines()]
    assert [len(each["label"]) for each in found] == [1, 2, 3, 3]
    assert [each["label"][0] for each in found] == [each["label"][0] for each in ask(loaded, texts)]
    plain = loaded.invoke("\n".join(texts).encode(), f"{LINES};data=text", LINES)
    assert plain.body == b"".join(
        json.dumps(each, separators=(",", ":")).encode() + b"\n" for each in ask(loaded, texts)
    )


def test_the_answer_has_the_type_of_the_request(classifier: Job) -> None:
    """blazingtext 14: Accept is ignored, whatever it says."""
    loaded = serve(classifier.model)
    for accept in (LINES, "text/csv", "image/png", "*/*", None):
        answer = loaded.invoke(b'{"instances": ["a"]}', JSON, accept)
        assert answer.content_type == JSON
        assert isinstance(json.loads(answer.body), list)
        assert loaded.invoke(b'{"source": "a"}', LINES, accept).content_type == LINES


def test_fasttext_opens_ours_and_says_the_same(classifier: Job) -> None:
    """Issue 5 item 1, blazingtext 15: labels, and probabilities to 1e-5."""
    peer, loaded = fasttexts.load(classifier.model / "model.bin"), serve(classifier.model)
    texts = [text.replace("\x00", " ") for text in sentences()]  # the wheel's predict ends a text at a NUL
    for text, answer in zip(texts, ask(loaded, texts, 3), strict=True):
        labels, probabilities = peer.predict(text, k=3)
        assert answer["label"] == list(labels)
        assert answer["prob"] == pytest.approx(list(probabilities), abs=1e-5)


PEERS = {
    "softmax": {},
    "n-grams": {"wordNgrams": 3, "bucket": 1000},
    "subwords": {"minn": 2, "maxn": 4, "bucket": 1000},
    "everything": {"wordNgrams": 2, "minn": 1, "maxn": 3, "bucket": 777, "loss": "softmax"},
    "hierarchical": {"loss": "hs", "wordNgrams": 2, "bucket": 1000},
    "negative sampling": {"loss": "ns"},
    "one against all": {"loss": "ova"},
    "many labels": {"labels": 176, "loss": "hs", "minn": 2, "maxn": 4, "bucket": 1000},
    "quantised": {"labels": 300, "wordNgrams": 2, "bucket": 1000, "quantise": {"qnorm": True, "dsub": 3}},
    "pruned": {"labels": 300, "wordNgrams": 2, "bucket": 1000, "quantise": {"cutoff": 400, "retrain": True}},
    "quantised output": {"labels": 300, "quantise": {"qout": True}},
}


@pytest.mark.parametrize("name", PEERS)
def test_fasttexts_classifiers_are_served(name: str, tmp_path: Path) -> None:
    """Issue 5 item 1, blazingtext 16: labels and probabilities to 1e-5; the directory has no manifest, no setting."""
    arguments = {"dim": 10, "epoch": 20, "lr": 0.5, **PEERS[name]}
    labels, quantise = arguments.pop("labels", 3), arguments.pop("quantise", None)
    (tmp_path / "model").mkdir()
    file = tmp_path / "model" / ("lid.176.ftz" if quantise else "lid.176.bin")
    lines = fasttexts.lines(1200 if labels > 3 else 300, labels=labels, vocabulary=400)
    fasttexts.train(tmp_path / file.name, "supervised", lines, quantise, **arguments).rename(file)
    peer, loaded = fasttexts.load(file), serve(file.parent)
    assert loaded.algorithm.name == "blazingtext"
    texts = [text.replace("\x00", " ") for text in sentences()]
    for text, answer in zip(texts, ask(loaded, texts, labels), strict=True):
        found, probabilities = peer.predict(text, k=labels)  # with hs without labels of less than 1e-5
        assert len(answer["prob"]) == labels
        assert answer["prob"][: len(found)] == pytest.approx(list(probabilities), abs=1e-5)
        told = dict(zip(answer["label"], answer["prob"], strict=True))
        assert [told[label] for label in found] == pytest.approx(list(probabilities), abs=1e-5)
        assert answer["label"][0] == found[0] or answer["prob"][0] - answer["prob"][1] < 1e-5


@pytest.mark.parametrize("kind", ["classifier", "vectors"])
def test_serving_imports_no_library_of_training(kind: str, classifier: Job, tmp_path: Path) -> None:
    """Issue 5: serving starts fast, and gensim is for those who export and query vectors."""
    if kind == "classifier":
        shutil.copytree(classifier.model, tmp_path / "model")
    else:
        (tmp_path / "model").mkdir()
        (tmp_path / "model" / "vectors.txt").write_text("1 2\na 1 2\n")
    loaded = imported(SERVING, str(tmp_path))
    assert "sagedock.algorithms.blazingtext.model" in loaded
    for absent in ("gensim", "scipy", "pyarrow", "torch", "fasttext", "pandas", "matplotlib", "sagedock.training"):
        assert not {name for name in loaded if name == absent or name.startswith(f"{absent}.")}, absent


def test_vector_answers(vectors: Job) -> None:
    """blazingtext 10: vector and word; zeros for a word that is not known, unless there are subwords."""
    loaded = serve(vectors.model)
    subwords = vectors.hyperparameters.get("subwords") == "True"
    known = fasttexts.words(200)[0]
    first, unknown, empty = ask(loaded, [known, "kamo-unheard", ""])
    assert (list(first), first["word"], len(first["vector"])) == (["vector", "word"], known, 8)
    assert any(first["vector"])
    assert any(unknown["vector"]) == subwords
    assert len(unknown["vector"]) == len(empty["vector"]) == 8
    answer = loaded.invoke(json.dumps({"source": known}).encode(), LINES, None)
    assert json.loads(answer.body) == first


def test_fasttext_and_gensim_open_our_vectors(vectors: Job) -> None:
    """Issue 5 item 1, blazingtext 6, 10: the same vectors to 1e-5 in both, from vectors.bin and vectors.txt."""
    loaded = serve(vectors.model)
    subwords = vectors.hyperparameters.get("subwords") == "True"
    peer = fasttexts.load(vectors.model / "vectors.bin")
    words = [*peer.words, "kamo-unheard"] if subwords else peer.words
    ours = np.array([answer["vector"] for answer in ask(loaded, words)])
    assert np.allclose(ours, [peer.get_word_vector(word) for word in words], atol=1e-5)
    text = gensim.models.KeyedVectors.load_word2vec_format(str(vectors.model / "vectors.txt"))
    assert text.index_to_key == peer.words
    assert np.allclose(ours[: len(text)], text.vectors, atol=1e-5)
    binary = gensim.models.fasttext.load_facebook_vectors(str(vectors.model / "vectors.bin"))
    places = [place for place, word in enumerate(words) if word != "</s>"]  # to gensim a word with subwords like others
    assert np.allclose(ours[places], [binary[words[place]] for place in places], atol=1e-5)


def test_the_text_of_vectors_is_in_order_of_counts(vectors: Job) -> None:
    """blazingtext 6: N is the number of words, </s> among them; descending counts."""
    lines = (vectors.model / "vectors.txt").read_text(encoding="utf-8").splitlines()
    peer = fasttexts.load(vectors.model / "vectors.bin")
    words, counts = peer.get_words(include_freq=True)
    assert lines[0] == f"{len(words)} 8"
    assert [line.partition(" ")[0] for line in lines[1:]] == words
    assert "</s>" in words
    assert list(counts) == sorted(counts, reverse=True)


@pytest.mark.parametrize("arguments", [{"maxn": 0}, {"minn": 2, "maxn": 4, "bucket": 500}])
@pytest.mark.parametrize("method", ["cbow", "skipgram"])
def test_fasttexts_vectors_are_served(method: str, arguments: dict[str, Any], tmp_path: Path) -> None:
    """blazingtext 16"""
    file = fasttexts.train(tmp_path / "w.bin", method, fasttexts.lines(300), dim=6, minCount=1, **arguments)
    (tmp_path / "model").mkdir()
    shutil.copy(file, tmp_path / "model" / "anything.bin")
    peer, words = fasttexts.load(file), [*fasttexts.words(200)[:20], "kamori-unheard", "x"]
    answers = ask(serve(tmp_path / "model"), words)
    expected = [peer.get_word_vector(word) for word in words]
    assert np.allclose([answer["vector"] for answer in answers], expected, atol=1e-5)


def test_gensims_models_are_served(tmp_path: Path) -> None:
    """Issue 5 item 1: what gensim writes in fastText's format, and as text."""
    corpus = [line.split()[1:] for line in fasttexts.lines(200)]
    model = gensim.models.FastText(corpus, vector_size=6, min_count=1, bucket=300, workers=1, epochs=1, seed=1)
    (tmp_path / "model").mkdir()
    gensim.models.fasttext.save_facebook_model(model, str(tmp_path / "model" / "g.bin"))
    words = [*model.wv.index_to_key[:20], "kamori-unheard"]
    found = [answer["vector"] for answer in ask(serve(tmp_path / "model"), words)]
    assert np.allclose(found, [model.wv[word] for word in words], atol=1e-5)
    (tmp_path / "text").mkdir()
    model.wv.save_word2vec_format(str(tmp_path / "text" / "vectors.txt"), binary=False)
    *known, unknown = ask(serve(tmp_path / "text"), words)
    assert np.allclose([answer["vector"] for answer in known], [model.wv[word] for word in words[:-1]], atol=1e-5)
    assert not any(unknown["vector"]), "text has no subwords"


def test_what_the_built_in_leaves_is_served(vectors: Job, tmp_path: Path) -> None:
    """Its archive: vectors.bin, vectors.txt and eval.json, and no manifest; the last alone would fit another."""
    for name in ("vectors.bin", "vectors.txt"):
        shutil.copy(vectors.model / name, tmp_path / name)
    (tmp_path / "eval.json").write_text('{"mean_rho": 0.7}')
    words = fasttexts.words(200)[:3]
    assert ask(serve(tmp_path), words) == ask(serve(vectors.model), words)


def test_several_models_are_told_apart_by_name(classifier: Job, tmp_path: Path) -> None:
    for name in ("a.bin", "b.bin"):
        shutil.copy(classifier.model / "model.bin", tmp_path / name)
    with pytest.raises(ModelError, match=r"holds several fastText models \(a\.bin, b\.bin\).*or name it model\.bin"):
        serve(tmp_path)
    (tmp_path / "a.bin").rename(tmp_path / "model.bin")
    assert ask(serve(tmp_path), ["a"])


@pytest.mark.parametrize(
    ("files", "says"),
    [
        ({"model.bin": b"what"}, "holds no artefact of a known algorithm.*model.bin is of no format known here"),
        ({"notes.txt": b"hello"}, "holds no artefact"),
        ({"model.bin": b"\xba\x16\x4f\x2f\x0c\0\0\0"}, "model.bin is damaged or no fastText model.*truncated"),
        ({"vectors.txt": b"3 2\na 1 2\n"}, "vectors.txt, line 1"),
    ],
)
def test_directories_without_a_model(files: dict[str, bytes], says: str, tmp_path: Path) -> None:
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    with pytest.raises(ModelError, match=says):
        serve(tmp_path)


def test_another_s_file_is_named_when_the_algorithm_was_chosen(tmp_path: Path) -> None:
    (tmp_path / "model.bin").write_bytes(b'{"learner": {}}')
    with pytest.raises(ModelError, match=r"neither a fastText model.*model\.bin is JSON"):
        serve(tmp_path, "blazingtext")


def test_a_model_that_holds_no_numbers_says_so(classifier: Job, tmp_path: Path) -> None:
    content = bytearray((classifier.model / "model.bin").read_bytes())
    content[-4:] = np.float32(np.nan).tobytes()
    (tmp_path / "model.bin").write_bytes(content)
    with pytest.raises(ModelError, match="no finite number"):
        serve(tmp_path)


def test_the_manifest_tells_what_the_model_is(classifier: Job, vectors: Job) -> None:
    told = classifier.manifest()["model"]
    assert sorted(told["class_names"]) == ["__label__0", "__label__1", "__label__2"]
    assert (told["method"], told["loss"], told["vector_dim"], told["buckets"]) == ("supervised", "softmax", 8, 500)
    assert told["words"] == 201
    assert vectors.manifest()["model"]["method"] in {"cbow", "skipgram"}


def test_a_model_of_many_empty_buckets_comes_back_from_its_archive(tmp_path: Path) -> None:
    """900,000 rows, of which hardly any was trained: 72 MB, and less than 1 MB packed."""
    made = job(tmp_path / "ml", word_ngrams="2", vector_dim="20", buckets="900000", epochs="1")
    assert made.run() == 0, made.failure
    (archive,) = pack(Paths(made.base), tmp_path / "packed")[:1]
    assert archive.stat().st_size < 1 << 20 < 64 << 20 < (made.model / "model.bin").stat().st_size
    unpack(archive, tmp_path / "model")
    assert ask(serve(tmp_path / "model"), sentences(), 2) == ask(serve(made.model), sentences(), 2)
