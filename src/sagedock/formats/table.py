"""What the table formats decode to and encode from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from sagedock.errors import UserError

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix  # loaded where a sparse table is made: serving dense ones does without

Floats: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True)
class RecordIdentity:
    """The uid and metadata of a recordio-protobuf Record, echoed in its answer."""

    uid: str | None = None
    metadata: str | None = None


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of numbers.

    `features` is a float32 array (rows, columns) in which NaN means missing, or a CSR matrix in which an absent entry
    means missing and a stored zero is a zero. `labels` and `weights` are (rows,) float32; `groups` (rows,) are
    libsvm's query ids. `dense_columns` is the length of the dense rows that a CSR matrix holds among sparse ones.
    """

    features: Floats | csr_matrix
    labels: Floats | None = None
    weights: Floats | None = None
    groups: NDArray[np.int64] | None = None
    identities: Sequence[RecordIdentity] | None = None
    dense_columns: int | None = None

    @property
    def rows(self) -> int:
        return int(self.features.shape[0])

    @property
    def columns(self) -> int:
        return int(self.features.shape[1])

    @property
    def is_sparse(self) -> bool:
        return not isinstance(self.features, np.ndarray)

    @property
    def dense(self) -> Floats:
        """The features as an array; raises UserError for a CSR matrix, which no algorithm of dense rows reads."""
        if isinstance(self.features, np.ndarray):
            return self.features
        raise UserError("the records are sparse, and this algorithm reads dense ones: give every value")

    def part(self, begin: int, end: int) -> Table:
        """The rows from `begin` (counted from 0) up to `end`, which may lie behind the last."""
        rows = slice(begin, end)
        return replace(
            self,
            features=self.features[rows],
            labels=None if self.labels is None else self.labels[rows],
            weights=None if self.weights is None else self.weights[rows],
            groups=None if self.groups is None else self.groups[rows],
            identities=None if self.identities is None else self.identities[rows],
        )

    def fitted_to(self, feature_count: int) -> Table:
        """This table with exactly `feature_count` columns, for a model that was trained on so many.

        A dense table must have them already; a sparse one may be narrower, its absent columns being missing values.
        Raises UserError naming the columns expected and got.
        """
        if self.columns == feature_count:
            return self
        if self.is_sparse and self.columns < feature_count and self.dense_columns is None:
            from scipy.sparse import csr_matrix

            data: Any = self.features
            wider = csr_matrix((data.data, data.indices, data.indptr), shape=(self.rows, feature_count))
            return replace(self, features=wider)
        raise UserError(
            f"expected {feature_count} feature columns, got {self.columns}: "
            "send the columns the model was trained on, without the label"
        )


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a source in order; the first is the source's `unit` (line, record, row) number `first`, from 1.

    `leading` columns stand before the features in the source.
    """

    table: Table
    source: str
    unit: str
    first: int
    leading: int = 0

    def place(self, row: int, column: int | None = None) -> str:
        """Where a row of the table, and a feature column of it, both counted from 0, stand in the source."""
        text = f"{self.source}, {self.unit} {self.first + row}"
        return text if column is None else f"{text}, column {self.leading + column + 1}"


@dataclass(frozen=True, slots=True)
class Predictions:
    """One answer per record, by column.

    Each value of `columns` is an array (rows,) or (rows, k), integer or float; the key is the field's name in the
    answer (for example `score`). `plain` says that a CSV line holds the bare values joined by commas; otherwise a
    list is one quoted field, as SageMaker's selectable inference writes it.
    """

    columns: Mapping[str, NDArray[Any]]
    plain: bool = True
    json_key: str = "predictions"
    identities: Sequence[RecordIdentity] | None = None

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values())))
