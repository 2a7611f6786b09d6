"""What users ask for beyond the built-in: raw texts, class weights, thresholds, neighbours, vectors of texts."""

from __future__ import annotations

import html
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import gensim
import numpy as np
import pytest

from sagedock.contracts.hosting import HostingSettings
from sagedock.errors import UserError
from sagedock.serving.loading import Loaded, load
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import held_out, job
from tests.platform import Job

JSON, LINES = "application/json", "application/jsonlines"
SENTENCES = """
import json, sys, fasttext
model = fasttext.load_model(sys.argv[1])
print(json.dumps([model.get_sentence_vector(text).tolist() for text in json.load(sys.stdin)]))
"""


def ask(loaded: Loaded, instances: list[Any], **configuration: Any) -> Any:
    answer = invoke(loaded, {"instances": instances, "configuration": configuration})
    return json.loads(answer.body)


def invoke(loaded: Loaded, document: Any) -> Any:
    return loaded.invoke(json.dumps(document).encode(), JSON, None)


def served(made: Job) -> Loaded:
    assert made.run() == 0, made.failure
    return load(made.model, None, HostingSettings())


@pytest.fixture(scope="module")
def classifier(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Loaded]:
    made = job(tmp_path_factory.mktemp("classifier"), epochs="10", word_ngrams="2")
    return made, served(made)


@pytest.fixture(scope="module", params=["skipgram", "subwords"])
def vectors(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Loaded]:
    made = job(tmp_path_factory.mktemp("v"), "skipgram", subwords=str(request.param == "subwords"))
    return made, served(made)


def metrics(made: Job) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((made.base / "output" / "data" / "metrics.json").read_text())
    return found


def keyed(made: Job) -> gensim.models.KeyedVectors:
    return gensim.models.KeyedVectors.load_word2vec_format(str(made.model / "vectors.txt"))


def test_a_threshold_leaves_out_the_less_probable(classifier: tuple[Job, Loaded]) -> None:
    """Issue 5 item 4: top-k with a threshold."""
    _, loaded = classifier
    texts = [line.partition(" ")[2] for line in fasttexts.lines(30, seed=9)]
    for whole, part in zip(ask(loaded, texts, k=3), ask(loaded, texts, k=3, threshold=0.2), strict=True):
        kept = [number for number, prob in enumerate(whole["prob"]) if prob >= 0.2]
        assert part["prob"] == [whole["prob"][number] for number in kept]
        assert part["label"] == [whole["label"][number] for number in kept]
    lines = "".join(json.dumps({"source": texts[0], "k": 3, "threshold": each}) + "\n" for each in (0, 0.99, 1))
    counts = [len(json.loads(line)["prob"]) for line in loaded.invoke(lines.encode(), LINES, None).body.splitlines()]
    assert counts[0] == 3
    assert counts[0] >= counts[1] >= counts[2]


@pytest.mark.parametrize("threshold", [-0.1, 1.5, "0.5", True, None])
def test_a_threshold_that_is_none_is_refused(classifier: tuple[Job, Loaded], threshold: Any) -> None:
    with pytest.raises(UserError, match="threshold is"):
        invoke(classifier[1], {"instances": ["a"], "configuration": {"threshold": threshold}})


def test_neighbours_and_analogies_are_gensims(vectors: tuple[Job, Loaded]) -> None:
    """Issue 5 item 4: nearest neighbours and analogies over /invocations."""
    made, loaded = vectors
    peer = keyed(made)
    first, second, third = [word for word in peer.index_to_key if word != "</s>"][:3]
    near, analogy = ask(loaded, [{"neighbours": first, "k": 7}, {"analogy": [first, second, third], "k": 5}])
    assert near["word"] == first
    same(near, peer.most_similar(first, topn=7))
    same(analogy, peer.most_similar(positive=[second, third], negative=[first], topn=5))
    assert len(ask(loaded, [{"neighbours": first}])[0]["neighbours"]) == 10
    assert len(ask(loaded, [{"neighbours": first}], k=4)[0]["neighbours"]) == 4


def same(found: dict[str, Any], expected: list[tuple[str, float]]) -> None:
    assert [each["word"] for each in found["neighbours"]] == [word for word, _ in expected]
    similar = [each["similarity"] for each in found["neighbours"]]
    np.testing.assert_allclose(similar, [value for _, value in expected], atol=1e-5)


def test_questions_for_vectors_come_in_lines_and_beside_words(vectors: tuple[Job, Loaded]) -> None:
    made, loaded = vectors
    word = keyed(made).index_to_key[1]
    plain, near = ask(loaded, [word, {"neighbours": word, "k": 1}])
    assert plain["word"] == near["word"] == word
    lines = json.dumps({"neighbours": word, "k": 1}) + "\n" + json.dumps({"sentence": word}) + "\n"
    first, second = map(json.loads, loaded.invoke(lines.encode(), LINES, None).body.splitlines())
    assert first == near
    assert second["sentence"] == word


@pytest.mark.parametrize(
    ("instance", "expected"),
    [
        ({"neighbours": "of-no-such-word"}, "'of-no-such-word' is not in the vocabulary"),
        ({"neighbours": 3}, "neighbours of instance 1 is a number, not text"),
        ({"neighbours": "a", "sentence": "b"}, "holds not one of neighbours, analogy, sentence"),
        ({}, "holds not one of"),
        ({"analogy": ["a", "b"]}, "no list of three words"),
        ({"analogy": ["a", "b", 3]}, "no list of three words"),
        ({"neighbours": "a", "k": 0}, "k is 0"),
    ],
)
def test_wrong_questions_for_vectors_are_refused(classifier: tuple[Job, Loaded], instance: Any, expected: str) -> None:
    with pytest.raises(UserError, match=re.escape(expected)):
        invoke(classifier[1], {"instances": [instance]})


def test_sentence_vectors_are_fasttexts(classifier: tuple[Job, Loaded], vectors: tuple[Job, Loaded]) -> None:
    """Issue 5 item 4: to 1e-5, of a classifier and of word vectors, also for texts of unknown words and none at all."""
    texts = [line.partition(" ")[2] for line in fasttexts.lines(40, seed=9)] + ["", "  ", "unheard of", "a\tb  c"]
    for (made, loaded), name in ((classifier, "model.bin"), (vectors, "vectors.bin")):
        command = [sys.executable, "-c", SENTENCES, str(made.model / name)]
        ran = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
        found = [each["vector"] for each in ask(loaded, [{"sentence": text} for text in texts])]
        np.testing.assert_allclose(found, json.loads(ran.stdout), atol=1e-5)


def untidy(lines: str) -> str:
    """The same lines as people write them: capitals, and marks glued to the words."""
    rows = [line.split(" ") for line in lines.splitlines()]
    return "".join(f"{label} {', '.join(words).upper()}!\n" for label, *words in rows)


def test_texts_are_prepared_alike_in_training_and_serving(tmp_path: Path) -> None:
    """Issue 5 item 4: the manifest says what is done, so that serving needs no setting."""
    lines = fasttexts.text(fasttexts.lines(300))
    made = job(
        tmp_path, train=untidy(lines), validation=untidy(held_out()), _lower_case="true", _tokenise="true", epochs="10"
    )
    loaded = served(made)
    assert json.loads((made.model / "manifest.json").read_text())["model"]["text"] == {
        "lower_case": True,
        "tokenise": True,
    }
    assert metrics(made)["validation"]["accuracy"] > 0.9
    tidy = [line.partition(" ")[2] for line in held_out(20).splitlines()]
    loud = [", ".join(text.split()).upper() + "!" for text in tidy]
    assert ask(loaded, loud) == ask(loaded, [text.lower().replace(",", " , ").replace("!", " !") for text in loud])
    word = tidy[0].split()[0]
    near = ask(loaded, [{"neighbours": word.upper(), "k": 3}, {"neighbours": word, "k": 3}])
    assert near[0]["neighbours"] == near[1]["neighbours"]


def test_words_are_looked_up_in_lower_case(tmp_path: Path) -> None:
    loaded = served(job(tmp_path, "skipgram", train=fasttexts.text(fasttexts.lines(100)).upper(), _lower_case="true"))
    loud, quiet = ask(loaded, ["KA", "ka"])
    assert loud == {"vector": quiet["vector"], "word": "KA"}
    assert any(quiet["vector"])


def rare(count: int, seed: int) -> str:
    """Nine lines of one label to one of another, hard to tell apart."""
    lines = fasttexts.lines(count * 2, labels=2, seed=seed)
    return fasttexts.text([line for number, line in enumerate(lines) if number % 2 == 0 or number % 18 == 1])


@pytest.mark.parametrize("weights", ["balanced", '{"1": 9}', '{"__label__1": 9.0}'])
def test_weights_help_the_rare_label(tmp_path: Path, weights: str) -> None:
    """Issue 5 item 4: class weights."""
    found = {}
    for name, given in (("plain", {}), ("weighted", {"_class_weights": weights})):
        loaded = served(job(tmp_path / name, train=rare(200, 0), epochs="5", learning_rate="0.1", **given))
        texts = [line.partition(" ")[2] for line in fasttexts.lines(200, labels=2, seed=5)]
        found[name] = sum(answer["label"] == ["__label__1"] for answer in ask(loaded, texts))
    assert found["plain"] < found["weighted"]


@pytest.mark.parametrize(
    ("weights", "expected"),
    [
        ("heavy", "_class_weights"),
        ("{}", "_class_weights"),
        ('{"1": 0}', "not a number in (0, 1000]"),
        ('{"1": true}', "not a number in (0, 1000]"),
        ('{"1": NaN}', "not a number in (0, 1000]"),
        ('{"1": 1e400}', "not a number in (0, 1000]"),
        (f'{{"1": 1{"0" * 400}}}', "not a number in (0, 1000]"),
        ('{"nobody": 2}', "no line of the train channel has the label 'nobody'"),
    ],
)
def test_weights_that_are_none_are_refused(tmp_path: Path, weights: str, expected: str) -> None:
    made = job(tmp_path, _class_weights=weights)
    assert made.run() == 1
    assert expected in made.failure


def test_metrics_tell_of_each_class(tmp_path: Path) -> None:
    """Issue 5 item 4: per-class precision, recall and F1, as scikit-learn reckons them from the answers."""
    from sklearn.metrics import confusion_matrix, precision_recall_fscore_support

    lines = held_out(120).splitlines()
    made = job(tmp_path, validation=fasttexts.text(lines), epochs="2")
    loaded = served(made)
    actual, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
    predicted = [answer["label"][0] for answer in ask(loaded, list(texts))]
    found = metrics(made)["validation"]
    names = found["confusion"]["classes"]
    assert found["confusion"]["counts"] == confusion_matrix(actual, predicted, labels=names).tolist()
    expected = precision_recall_fscore_support(actual, predicted, labels=names, zero_division=np.nan)
    for place, each in enumerate(found["classes"]):
        assert each["name"] == names[place]
        reckoned = [None if np.isnan(column[place]) else column[place] for column in expected]
        assert [each["precision"], each["recall"], each["f1"], each["lines"]] == pytest.approx(reckoned)


def test_what_is_confused_most_is_told_with_lines(tmp_path: Path) -> None:
    """Issue 5 item 5: the most confused pairs with example sentences, and throughput in training and predicting."""
    lines = held_out(200).splitlines()
    made = job(tmp_path, validation=fasttexts.text(lines), epochs="1", learning_rate="0.05", word_ngrams="2")
    loaded = served(made)
    actual, texts = zip(*(line.split(" ", 1) for line in lines), strict=True)
    predicted = [answer["label"][0] for answer in ask(loaded, list(texts))]
    known = set(fasttexts.text(fasttexts.lines(300)).split())
    mistaken: dict[tuple[str, str], list[str]] = {}
    for label, text, told in zip(actual, texts, predicted, strict=True):
        if label != told:
            mistaken.setdefault((label, told), []).append(" ".join(word for word in text.split() if word in known))
    found = metrics(made)["validation"]["confused_most"]
    assert found
    assert [pair["lines"] for pair in found] == sorted((len(some) for some in mistaken.values()), reverse=True)[:10]
    for pair in found:
        assert pair["examples"] == mistaken[pair["label"], pair["taken_for"]][:2]
        assert pair["share"] == pair["lines"] / actual.count(pair["label"])
    page = (made.base / "output" / "data" / "report.html").read_text()
    assert html.escape(found[0]["examples"][0]) in page
    assert metrics(made)["predicting"]["lines"] == 500
    assert metrics(made)["predicting"]["million_words_per_second"] > 0 < metrics(made)["million_words_per_second"]


@pytest.fixture(scope="module")
def quantised(tmp_path_factory: pytest.TempPathFactory) -> tuple[Job, Loaded]:
    lines = fasttexts.text(fasttexts.lines(600, vocabulary=400))
    given = {"_quantise": "true", "word_ngrams": "2", "buckets": "2000", "epochs": "10"}
    made = job(tmp_path_factory.mktemp("quantised"), train=lines, validation=held_out(), **given)
    return made, served(made)


def test_a_quantised_model_is_fasttexts(quantised: tuple[Job, Loaded], tmp_path: Path) -> None:
    """Issue 5 item 4: it opens in fastText, which gives the same labels and probabilities."""
    made, loaded = quantised
    assert not (made.model / "model.bin").exists()
    texts = [line.partition(" ")[2] for line in fasttexts.lines(60, seed=9)]
    program = "import json, sys, fasttext; model = fasttext.load_model(sys.argv[1]); "
    program += "assert model.is_quantized(); print(json.dumps([[list(labels), list(map(float, probs))] "
    program += "for labels, probs in (model.predict(text, k=3) for text in json.load(sys.stdin))]))"
    command = [sys.executable, "-c", program, str(made.model / "model.ftz")]
    ran = subprocess.run(command, input=json.dumps(texts), capture_output=True, text=True, check=True)
    for answer, (labels, probabilities) in zip(ask(loaded, texts, k=3), json.loads(ran.stdout), strict=True):
        assert answer["label"] == labels
        np.testing.assert_allclose(answer["prob"], probabilities, atol=1e-5)


def test_the_loss_of_quantisation_is_told(quantised: tuple[Job, Loaded]) -> None:
    """Issue 5 item 4: a smaller model with stated loss, measured on validation by the model that is saved."""
    made, loaded = quantised
    told = metrics(made)["quantisation"]
    lines = held_out().splitlines()
    right = [ask(loaded, [line.partition(" ")[2]])[0]["label"][0] == line.partition(" ")[0] for line in lines]
    assert told["accuracy"] == pytest.approx(np.mean(right))
    assert told["accuracy_before"] == metrics(made)["validation"]["accuracy"]
    assert told["loss"] == pytest.approx(told["accuracy_before"] - told["accuracy"])
    assert told["dataset"] == "validation"
    assert told["bytes"] == (made.model / "model.ftz").stat().st_size


def test_few_rows_make_a_smaller_model(quantised: tuple[Job, Loaded], tmp_path: Path) -> None:
    lines = fasttexts.text(fasttexts.lines(600, vocabulary=400))
    given = {"_quantise": "true", "word_ngrams": "2", "buckets": "2000", "epochs": "10", "_quantise_rows": "150"}
    made = job(tmp_path, train=lines, validation=held_out(), **given)
    loaded = served(made)
    assert metrics(made)["quantisation"]["rows"] == 150
    assert (made.model / "model.ftz").stat().st_size < (quantised[0].model / "model.ftz").stat().st_size
    assert ask(loaded, ["anything"])[0]["label"]


def test_the_map_is_scikit_learns_principal_components(vectors: tuple[Job, Loaded]) -> None:
    """Issue 5 item 5: a two-dimensional map of the embeddings, and neighbours of chosen words."""
    from sklearn.decomposition import PCA

    made, _ = vectors
    found, peer = metrics(made)["map"], keyed(made)
    assert found["words"] == [word for word in peer.index_to_key[:300] if word != "</s>"]
    numbers = peer[found["words"]].astype(np.float64)
    expected = PCA(2).fit(numbers)
    places = expected.transform(numbers)
    np.testing.assert_allclose(np.abs([found["x"], found["y"]]), np.abs(places.T), atol=1e-4)
    np.testing.assert_allclose(found["shares"], expected.explained_variance_ratio_, atol=1e-5)
    assert len(found["neighbours"]) >= 10
    for word, near in found["neighbours"].items():
        assert [name for name, _ in near] == [name for name, _ in peer.most_similar(word, topn=5)]
    page = (made.base / "output" / "data" / "report.html").read_text()
    assert "Map of frequent words" in page


def test_an_earlier_jobs_artefacts_are_not_left_beside_the_model(tmp_path: Path) -> None:
    """In the same base: model.ftz would be packed with model.bin. What no manifest of ours names stays."""
    made = job(tmp_path, _quantise="true")
    assert made.run() == 0
    (made.model / "model.ftz").rename(made.model / "mine.txt")
    assert made.run() == 0
    made.write_config("hyperparameters", {**made.hyperparameters, "_quantise": "false"})
    assert made.run() == 0
    assert sorted(file.name for file in made.model.iterdir()) == ["manifest.json", "mine.txt", "model.bin"]
