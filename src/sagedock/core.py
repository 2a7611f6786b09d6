"""The compiled core, where there is one: numbers and trees in C++ (src/core), behind one door.

Callers look `core.native` up when they are called, and go on in Python when it is None: with the same answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, cast

from sagedock.forecast_core import ForecastCore
from sagedock.picture_core import PictureCore
from sagedock.recurrence_core import RecurrenceCore
from sagedock.text_core import TextCore
from sagedock.topic_core import TopicCore

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray


class WordVectors(Protocol):
    """Word vectors in training, in arrays that are the caller's."""

    def learn(self, *, first: int, last: int, stream: int, done: int, total: int, rate: float, threads: int) -> None:
        """Learn the sentences from `first` up to `last`, by random numbers of a 64-bit `stream`, in so many threads.

        The learning rate is `rate` times 1 - d / total, d being the tokens read so far, `done` before this call.
        """


class Forest(Protocol):
    """Regression trees; a row is float32 numbers, NaN for what is missing."""

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory."""

    def predict(self, features: NDArray[np.float32]) -> NDArray[np.float32]:
        """One answer per row, (rows,) or (rows, outputs)."""

    def answer_csv(self, body: bytes) -> bytes | None:
        """The CSV answer to the records of a CSV body: what `Native.csv`, `predict` and `Native.lines` or `rows` make.

        None for records of another width and for anything unusual, to be read with care.
        """

    def predict_sparse(
        self, indptr: NDArray[np.int64], indices: NDArray[np.int32], data: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """The same for compressed sparse rows; what is absent is missing. Raises ValueError for wrong indices."""


class Tokenizer(Protocol):
    """Text rewritten (`sagedock.algorithms.blazingtext.tokenizer` has the rules)."""

    def rewrite(self, text: bytes) -> bytes:
        """The text with its lines kept."""


class CutForest(Protocol):
    """Random cut trees; a point is float32 numbers, NaN raising ValueError."""

    @property
    def memory_bytes(self) -> int:
        """What it takes in memory beside the arrays it was made of."""

    def scores(self, points: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        """(rows,) of points (rows, columns)."""

    def attributions(self, points: NDArray[np.float32], threads: int) -> NDArray[np.float32]:
        """(rows, columns): what each column adds to the scores."""

    def answer(
        self,
        body: bytes,
        kind: str,
        opening: str,
        between: str,
        closing: str,
        shingle_size: int = ...,
        weights: NDArray[np.float32] | None = ...,
    ) -> bytes | None:
        """The scores of the rows of a body, with what stands before, between and behind them.

        `kind` is csv, json (`{"instances": [{"features": [...]}, ...]}`) or jsonlines. With shingles the rows are
        points of a series (`randomcutforest.shingles`); `weights` (columns,) multiply what is scored. None for records
        of another width or with a value missing, for a series shorter than a shingle, and for anything unusual, to be
        read with care.
        """


class Native(RecurrenceCore, TextCore, TopicCore, ForecastCore, PictureCore, Protocol):
    """What sagedock._core offers. Arrays are float32 unless said, in C order; long work gives the lock back."""

    def csv(self, body: bytes | memoryview) -> NDArray[np.float32] | None:
        """The records of a request (rows, columns); None for anything unusual, to be read with care."""

    def csv_block(
        self,
        text: bytes | memoryview,
        delimiter: str,
        leading: Sequence[NDArray[np.float32]],
        features: NDArray[np.float32],
    ) -> bool:
        """Read whole lines into arrays: the first columns into `leading`, each (rows,), the rest into `features`.

        False for anything unusual; what was written then means nothing.
        """

    def count_lines(self, text: bytes | memoryview) -> int:
        """How many line feeds there are."""

    def libsvm(
        self, body: bytes | memoryview
    ) -> tuple[NDArray[np.float32], NDArray[np.int32], NDArray[np.int64]] | None:
        """The records of a request as CSR: values, keys in order, and where each row starts; None for the unusual."""

    def libsvm_block(
        self, text: bytes | memoryview
    ) -> (
        tuple[
            NDArray[np.float32],
            NDArray[np.float32],
            NDArray[np.int64],
            NDArray[np.float32],
            NDArray[np.int32],
            NDArray[np.int64],
        ]
        | None
    ):
        """Labels, weights and query ids of whole lines, the last two empty or one a row, and the parts of `libsvm`."""

    def WordVectors(  # noqa: N802 - a class
        self,
        *,
        tokens: NDArray[np.int32],
        starts: NDArray[np.int64],
        row_starts: NDArray[np.int64],
        row_ids: NDArray[np.int32],
        kept: NDArray[np.float32],
        noise: NDArray[np.uint64],
        input: NDArray[np.float32],  # noqa: A002 - what it is called
        output: NDArray[np.float32],
        width: int,
        mode: str,
        window: int,
        negatives: int,
        batch: int,
    ) -> WordVectors:
        """Word vectors to train on sentences of `tokens`, sentence s being starts[s] to starts[s + 1].

        Word w has the rows row_ids[row_starts[w]] on of `input` and row w of `output`, in both of which rows are
        padded with zeros from `width` to a multiple of sixteen numbers. `kept` and `noise` (words,) are what
        sagedock.algorithms.blazingtext.vectors makes of counts. Raises ValueError for indices that lead nowhere.
        """

    def documents(
        self, body: bytes | memoryview, kind: str, columns: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32]] | None:
        """What `sagedock.topics.documents.Documents` holds, of a request; None for anything unusual, to be read with
        care.

        `kind` is csv, json, jsonlines, recordio or, of a part of a file, lines; `columns` are the words of the
        vocabulary.
        """

    def document_records(
        self, block: bytes, columns: int
    ) -> tuple[NDArray[np.int64], NDArray[np.int32], NDArray[np.float32], int, bool]:
        """The same of the whole frames at the beginning of `block`, how many bytes they take, and whether only the
        block's end ended them, not an unusual record.
        """

    def lines(self, values: NDArray[np.float32]) -> bytes:
        """The numbers (rows,) as Python's repr writes their doubles, a line feed after each."""

    def rows(self, values: NDArray[np.float32]) -> bytes:
        """The same of (rows, columns), commas between the numbers of a row."""

    def Forest(  # noqa: N802 - a class
        self,
        *,
        first: NDArray[np.int64],
        left: NDArray[np.int32],
        right: NDArray[np.int32],
        feature: NDArray[np.int32],
        threshold: NDArray[np.float32],
        default_left: NDArray[np.uint8],
        output: NDArray[np.int32],
        columns: int,
        base: Sequence[float],
        base_link: str,
        link: str,
        deepest_asked: int = -1,
    ) -> Forest:
        """A forest of all trees' nodes, one tree after the other, tree t having first[t] to first[t + 1].

        `left` and `right` count from the tree's first node and are -1 at a leaf, whose value stands in `threshold`; a
        value below the threshold goes left, a missing one where `default_left` says. `output` (trees,) is what each
        tree adds to; `base` (outputs,) is added first, after `base_link`; `link` makes the answers. Trees of up to
        `deepest_asked` levels are asked at every node, -1 leaving that to what was measured. Raises ValueError when the
        arrays are no trees.
        """

    def nearest(self, points: NDArray[np.float32], others: NDArray[np.float32], codes: NDArray[np.uint8]) -> None:
        """Write to `codes` (rows,) which of `others` (1 to 256, width) is nearest to each of `points` (rows, width)."""

    def Tokenizer(self, table: NDArray[np.uint32], split: bool) -> Tokenizer:  # noqa: N802 - a class
        """`table` holds for each code point 2^24 times its kind (0 ends a token, 1 belongs to one, 2 is one) plus the
        code point written for it; with `split` tokens are set apart. Raises ValueError for what is no such table.
        """

    def follow_series(
        self,
        points: NDArray[np.float32],
        scores: NDArray[np.float32],
        shares: NDArray[np.float32] | None,
        *,
        seed: int,
        seen: int,
        decay: float,
        scale: float,
        learns: bool,
        columns: int,
        bits: NDArray[np.float64],
        **trees: NDArray[Any],
    ) -> None:
        """Score points (rows, width), and learn each before the next: `sagedock.algorithms.randomcutforest.stream`.

        Writes `scores` (rows,), `shares` (rows, width) and the arrays of `ReservoirTrees`, which it believes to be
        trees. Raises ValueError when they do not fit together.
        """

    def CutForest(  # noqa: N802 - a class
        self,
        *,
        dimension: NDArray[np.int32],
        cut: NDArray[np.float32],
        box: NDArray[np.float32],
        point: NDArray[np.float32],
        seen: NDArray[np.float32],
        unit: float,
        farthest: float,
        scale: float,
        by_depth: bool = ...,
        most_packed: int = ...,
    ) -> CutForest:
        """A forest of the arrays of `randomcutforest.forest.Forest`, which it goes on looking at.

        They are in units of `unit`, a power of two, by which points are divided before they are held between
        -`farthest` and `farthest`; `seen` (leaves,) are the scores of the leaves' own points; `scale` is what the sum
        over trees is multiplied by or, `by_depth`, what is divided by the sum's fourth root. The boxes of a forest of
        up to `most_packed` bytes are copied, which is faster.
        Raises ValueError when the arrays are no forest.
        """

    def grow_cut_trees(
        self, samples: NDArray[np.float32], seed: int, threads: int
    ) -> tuple[NDArray[np.int32], NDArray[np.float32], NDArray[np.float32], NDArray[np.float32], NDArray[np.int32]]:
        """`dimension`, `cut`, `box`, `point` and `mass` of a tree for each of the samples (trees, rows, columns).

        `seed` is from 0 to 2**64 - 1. Raises ValueError for numbers that are not finite.
        """

    def instruction_sets(self) -> tuple[str, ...]:
        """The instruction sets that kernels may use here, from `scalar` to the best, which is used."""

    def use_instruction_set(self, name: str) -> None:
        """Use this one from now on, in the whole process. Raises ValueError when it is not to be had."""


native: Native | None
try:
    from sagedock import _core

    native = cast("Native", _core)
except ImportError:  # not built: there was no compiler
    native = None


def switch_off() -> None:
    """Do without the core from now on, as on a machine where it was not built."""
    global native  # noqa: PLW0603 - the one switch of the process
    native = None
