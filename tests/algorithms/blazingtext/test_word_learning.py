"""Training word vectors as jobs: the log, the vocabulary, long lines, and modes of pipes."""

from __future__ import annotations

import hashlib
import os
import threading
from collections import Counter
from pathlib import Path

import pytest

from sagedock.algorithms.blazingtext import fasttext_file
from tests.algorithms.blazingtext import fasttexts
from tests.algorithms.blazingtext.jobs import ALPHA, job, positions
from tests.algorithms.blazingtext.test_model import ask, serve


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("mode", ["skipgram", "cbow", "batch_skipgram"])
def test_the_log_is_the_built_ins(
    tmp_path: Path, mode: str, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Spec section 6, and blazingtext 27: a line at 2 %, every 5 % from there, and the last at 100 %."""
    made = job(tmp_path, mode, epochs="10")
    with caplog.at_level("INFO"):
        assert made.run() == 0, made.failure
    told = [record.getMessage() for record in caplog.records]
    assert f"Running single machine CPU BlazingText training using {mode} mode." in told
    shown = capsys.readouterr().out.splitlines()
    found = positions(
        shown,
        "Read 0M words",
        "Number of words:  201",
        "##### Alpha: ",
        "Training finished!",
        "Average throughput in Million words/sec: ",
        "Total training time in seconds: ",
    )
    assert found == sorted(found)
    progress = [(float(match[1]), float(match[2])) for line in shown if (match := ALPHA.fullmatch(line))]
    assert all(alpha == pytest.approx(0.3 * (1 - share / 100), abs=1e-3) for alpha, share in progress)
    assert progress[-1] == (0.0, 100.0)
    fives = [int((share - 2) // 5) for _, share in progress[:-1]]
    assert fives == sorted(set(fives)), "one line at most in each 5 %"


def test_words_are_those_that_come_often_enough(tmp_path: Path) -> None:
    """blazingtext 6: N words with count >= min_count and the end of lines, in descending count."""
    made = job(tmp_path, "cbow", min_count="12")
    assert made.run() == 0
    words = [word for line in fasttexts.lines(300) for word in line.split()[1:]]
    counts = Counter(words)
    expected = {word: count for word, count in counts.items() if count >= 12} | {"</s>": 300}
    dictionary = fasttext_file.read(made.model / "vectors.bin").dictionary
    found = dict(zip([word.decode() for word in dictionary.words], dictionary.counts.tolist(), strict=True))
    assert found == expected
    assert list(found.values()) == sorted(found.values(), reverse=True)
    head = (made.model / "vectors.txt").read_text(encoding="utf-8").splitlines()[0]
    assert head == f"{len(expected)} 8"


def test_a_line_of_three_thousand_words_loses_none(tmp_path: Path) -> None:
    """blazingtext 26: it is trained in sentences of 1,024, and every word of it is counted."""
    words = fasttexts.words(50)
    line = " ".join(words[number % 50] for number in range(3000))
    made = job(tmp_path, "skipgram", train=line + "\n")
    assert made.run() == 0
    dictionary = fasttext_file.read(made.model / "vectors.bin").dictionary
    assert dictionary.tokens == 3001
    assert sorted(dictionary.counts.tolist()) == [1, *[60] * 50]


def test_a_pipe_gives_the_vectors_of_the_file(tmp_path: Path) -> None:
    text = fasttexts.text(fasttexts.lines(100))
    plain, piped = job(tmp_path / "plain", "cbow", train=text), job(tmp_path / "piped", "cbow")
    piped.declare("train", ContentType="text/plain", TrainingInputMode="Pipe")
    os.mkfifo(piped.data / "train_0")
    feeder = threading.Thread(target=(piped.data / "train_0").write_text, args=(text,))
    feeder.start()
    assert plain.run() == piped.run() == 0
    feeder.join()
    assert digest(plain.model / "vectors.bin") == digest(piped.model / "vectors.bin")


def test_a_validation_channel_is_ignored_and_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    made = job(tmp_path, "cbow", validation="a b\n", early_stopping="True", batch_size="20")
    with caplog.at_level("WARNING"):
        assert made.run() == 0, made.failure
    told = [record.getMessage() for record in caplog.records]
    assert "the validation channel has no effect in mode cbow" in told
    assert [line for line in told if "has no effect in mode cbow as this job is set up" in line] == [
        f"hyperparameter {name} has no effect in mode cbow as this job is set up"
        for name in ("buckets", "early_stopping", "batch_size")
    ]


def test_words_alike_are_near_one_another(tmp_path: Path) -> None:
    """What is served was learnt: words of one label's lines are nearer to one another than to others."""
    lines = [line.partition(" ")[2] for line in fasttexts.lines(1500, vocabulary=60)]
    made = job(
        tmp_path,
        "skipgram",
        train=fasttexts.text(lines),
        vector_dim="16",
        sampling_threshold="0.9",
        learning_rate="0.05",
    )
    assert made.run() == 0
    words = fasttexts.words(60)
    found = [answer["vector"] for answer in ask(serve(made.model), words)]
    unit = [[number / sum(each**2 for each in vector) ** 0.5 for number in vector] for vector in found]

    def likeness(first: int, second: int) -> float:
        return sum(a * b for a, b in zip(unit[first], unit[second], strict=True))

    pairs = [(first, second) for first in range(60) for second in range(first)]
    same = [likeness(*pair) for pair in pairs if pair[0] % 3 == pair[1] % 3]
    other = [likeness(*pair) for pair in pairs if pair[0] % 3 != pair[1] % 3]
    assert sum(same) / len(same) > sum(other) / len(other) + 0.1
