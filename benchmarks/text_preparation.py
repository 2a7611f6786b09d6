"""Raw text to counts of words: tokens a second of processor time, beside scikit-learn's CountVectorizer.

    .venv/bin/python -m benchmarks.text_preparation --rounds 3

The messages of 20 Newsgroups (SAGEDOCK_NEWSGROUPS, a tar archive), whole with their headers, one a line, several times
over with --times. Both lower the case, leave out the same stop words and words of less than three characters, and keep
the 5,000 most frequent words that are in two documents and not in more than 95 %. With stems, scikit-learn is given the
same stemmer, remembering each word. The ways take turns, and medians are printed; tokens are words as they stand there.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import cache
from pathlib import Path

from sklearn.feature_extraction.text import CountVectorizer  # type: ignore[import-untyped] # it has no types

from sagedock.contracts.channels import Channel
from sagedock.topics import raw_text, tokens
from sagedock.topics.learning import Learner, Limits, choose
from sagedock.topics.preparation import Preparation, english_stop_words

SHARED = Path(__file__).parents[2] / "shared" / "data"
DATA = Path(os.environ.get("SAGEDOCK_NEWSGROUPS", SHARED / "newsgroups" / "20news-bydate-train.tar.xz"))
SIZE, MIN_DF, MAX_DF, SHORTEST = 5000, 2, 0.95, 3


def messages() -> list[str]:
    """Each on one line."""
    with tarfile.open(DATA) as tar:
        streams = [tar.extractfile(member) for member in tar if member.isfile()]
        return [" ".join(stream.read().decode("latin-1").split()) for stream in streams if stream is not None]


def ours(folder: Path, stemming: str | None) -> Callable[[], Sequence[str]]:
    """The channel read, its vocabulary learnt and its documents counted: what training does."""
    prepared = Preparation(True, english_stop_words(), stemming, SHORTEST)

    def work() -> Sequence[str]:
        learner = Learner(prepared)
        for block in raw_text.read(Channel("train", folder, "text/plain")):
            learner.feed(block)
        chosen = choose(learner.tally(), Limits(SIZE, MIN_DF, MAX_DF))
        learner.documents(chosen.keys)
        return chosen.keys

    return work


def theirs(folder: Path, stemming: str | None) -> Callable[[], Sequence[str]]:
    """The same by scikit-learn, the file read as lines."""
    prepared = Preparation(True, english_stop_words(), stemming, SHORTEST)
    key = cache(prepared.key)
    pattern = r"(?u)[^\W_]+"
    plain = CountVectorizer(
        token_pattern=r"(?u)[^\W\d_][^\W_]{2,}",  # noqa: S106 - no password
        stop_words=sorted(prepared.stop_words),
        max_features=SIZE,
        min_df=MIN_DF,
        max_df=MAX_DF,
    )
    if stemming is not None:
        cut = CountVectorizer(token_pattern=pattern).build_analyzer()
        plain = CountVectorizer(
            analyzer=lambda text: [found for word in cut(text) if (found := key(word)) is not None],
            max_features=SIZE,
            min_df=MIN_DF,
            max_df=MAX_DF,
        )

    def work() -> Sequence[str]:
        key.cache_clear()
        with (folder / "texts.txt").open(encoding="utf-8", newline="\n") as lines:
            plain.fit_transform(lines)
        found: Sequence[str] = plain.get_feature_names_out().tolist()
        return found

    return work


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--times", type=int, default=1, help="how often the messages are repeated")
    options = parser.parse_args()
    texts = messages() * options.times
    total = sum(len(tokens.words(text, lower_case=True)) for text in texts)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "texts.txt").write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
        for stemming in (None, "english"):
            ways = {"sagedock": ours(folder, stemming), "scikit-learn": theirs(folder, stemming)}
            seconds: dict[str, list[float]] = {way: [] for way in ways}
            words = {}
            for _ in range(options.rounds):
                for way, work in ways.items():
                    begin = time.process_time()
                    words[way] = set(work())
                    seconds[way].append(time.process_time() - begin)
            shared = len(words["sagedock"] & words["scikit-learn"])
            sys.stdout.write(f"stemming {stemming or 'none'}: {total:,} tokens, {shared} of {SIZE} words in both\n")
            for way, taken in seconds.items():
                middle = statistics.median(taken)
                sys.stdout.write(
                    f"  {way:<13} {middle:6.2f} CPU s, {total / middle / 1e6:5.2f} million tokens a second\n"
                )
    return 0


if __name__ == "__main__":
    sys.exit(main())
