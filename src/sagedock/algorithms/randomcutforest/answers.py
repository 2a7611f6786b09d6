"""What answers say: the score and, as SAGEMAKER_INFERENCE_OUTPUT asks, whether it is an alarm and what made it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from sagedock.algorithms.randomcutforest.detector import Detector
from sagedock.algorithms.randomcutforest.trees import Floats
from sagedock.errors import ModelError
from sagedock.formats.table import Predictions, RecordIdentity

SCORE, ANOMALY, ATTRIBUTION = "score", "anomaly", "attribution"
KEYS = (SCORE, ANOMALY, ATTRIBUTION)


@dataclass(frozen=True)
class Answers:
    """The fields of every answer, in order; `cut_off` is the score above which `anomaly` is 1."""

    keys: Sequence[str] = (SCORE,)
    cut_off: float | None = None

    @classmethod
    def of(cls, asked: Sequence[str], cut_off: float | None) -> Answers:
        """Those that are asked for, the score alone when none is; raises ModelError for what there is not."""
        unknown = [key for key in asked if key not in KEYS]
        if unknown:
            raise ModelError(
                f"SAGEMAKER_INFERENCE_OUTPUT names {', '.join(unknown)[:100]}: a random cut forest answers with "
                f"{', '.join(KEYS)}; unset it, or name some of these"
            )
        if ANOMALY in asked and cut_off is None:
            raise ModelError(
                f"SAGEMAKER_INFERENCE_OUTPUT names {ANOMALY}, and the model has no cut-off: train it with the "
                f"hyperparameter _false_alarm_rate, or leave {ANOMALY} out"
            )
        return cls(tuple(asked) or (SCORE,), cut_off)

    @property
    def attributed(self) -> bool:
        """Whether attributions are asked for."""
        return ATTRIBUTION in self.keys

    def by(
        self,
        detector: Detector,
        applied: Callable[[Callable[[Floats], Floats]], Floats],
        identities: Sequence[RecordIdentity] | None,
    ) -> Predictions:
        """The answers to the records of a request: `applied` gives all of their rows to a function of rows."""
        shares = applied(detector.attributions) if self.attributed else None
        return self.to(applied(detector.scores), shares, identities)

    def to(self, scores: Floats, shares: Floats | None, identities: Sequence[RecordIdentity] | None) -> Predictions:
        """The answers to records with these scores (rows,) and, where they are asked for, attributions."""
        columns = {SCORE: scores, ATTRIBUTION: shares}
        if self.cut_off is not None:
            columns[ANOMALY] = (scores > np.float32(self.cut_off)).astype(np.int64)
        fields = {key: column for key in self.keys if (column := columns.get(key)) is not None}
        return Predictions(fields, plain=self.keys == (SCORE,), json_key="scores", identities=identities)
