"""What an algorithm is: the one page that an author of an algorithm reads.

An algorithm is a folder under `sagedock/algorithms`. Its `__init__.py` holds one constant, `ALGORITHM`, and imports
nothing heavy; `training.py` has `train(hyperparameters, channels, context) -> Trained`; `model.py` has
`load(directory, manifest, options) -> Model`. Both are imported only when they are called.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol, Self, TypeVar, cast

from sagedock.contracts.channels import Channel, ChannelSpecification
from sagedock.contracts.hosting import InferenceOptions
from sagedock.contracts.hyperparameters import Declaration, Values
from sagedock.contracts.manifest import Manifest
from sagedock.contracts.signatures import Kind
from sagedock.errors import PlatformError
from sagedock.figures import Figure
from sagedock.formats.media_types import MediaType
from sagedock.formats.objects import Objects
from sagedock.formats.table import Predictions

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


class Records(Protocol):
    """The records of one request as a model reads them; a `Table` is the usual kind."""

    @property
    def rows(self) -> int:
        """How many there are."""

    def part(self, begin: int, end: int) -> Self:
        """Those from `begin` (counted from 0) up to `end`, which may lie behind the last."""


RecordsRead = TypeVar("RecordsRead", bound=Records)
Result = TypeVar("Result")


class Model(Protocol[RecordsRead]):
    """A model in memory, ready to answer."""

    @property
    def in_line_bytes(self) -> int:
        """Bodies up to this size are answered by compiled code without waits, in a few milliseconds: they need no
        thread. 0 where that is true of none.
        """

    @property
    def memory_bytes(self) -> int:
        """What the model takes in memory, as far as that is known; 0 for unknown."""

    def read(self, body: bytes, media_type: MediaType) -> RecordsRead:
        """The records of a request of one of the algorithm's request types, fit for `predict`.

        A model of tables leaves this to `sagedock.formats.requests` and `Table.fitted_to`. Raises UserError naming the
        row, the field, the value and what is allowed, and UnsupportedMediaType.
        """

    def predict(self, records: RecordsRead) -> Predictions | Objects:
        """One answer per record, in order; a record's answer does not depend on its neighbours (but see `Learner`)."""

    def example(self) -> tuple[bytes, str] | None:
        """The body of a request of one made-up record and its type, which warms the model up; None for no warm-up."""

    def save(self, directory: Path) -> Sequence[str]:
        """Write the artefacts, each whole or not at all, and return their names relative to `directory`."""

    def describe(self) -> Mapping[str, Any]:
        """What the manifest says of the model: feature_count, class_names, decision and the like (JSON values)."""


class DirectAnswers(Protocol):
    """What a model may offer beside `Model`: the way from a body to its answer in one step, without records between."""

    def direct(self, request_type: str, response_type: str) -> Callable[[bytes], bytes | None] | None:
        """From a body of `request_type` without parameters to the answer that `read`, `predict` and encoding give.

        It returns None for a body that is unusual or wrong, which then goes the long way; None itself when there is no
        such way between these types for this model as it is deployed.
        """


class Learner(Protocol):
    """What a model says beside `Model` that learns from what it answers.

    It is served by one process and one thread, where SAGEDOCK_STREAMING is not off; its manifest, too, says `learns`.
    An answer may then depend on all records before it. A request is learnt whole and once, or not at all.
    """

    @property
    def learns(self) -> bool:
        """True."""


@dataclass(frozen=True)
class Trained:
    """What training leaves: the model, what metrics.json holds, and what the report shows."""

    model: Model[Any]
    metrics: Mapping[str, Any]
    figures: Sequence[Figure]


class Cluster(Protocol):
    """The hosts of one training job (`sagedock.training.cluster` has the real one); with one, nothing waits or moves.

    Every host calls the same operations in the same order, and each waits for the others. When another host fails or is
    lost, they raise PlatformError with its reason.
    """

    @property
    def rank(self) -> int:
        """This host's place among the sorted hosts; the one of rank 0 writes the model."""

    @property
    def hosts(self) -> Sequence[str]:
        """The names of all hosts in order of rank."""

    def gather(self, part: bytes | memoryview) -> list[bytes]:
        """On rank 0 the parts of all hosts in order of rank, on the others an empty list."""

    def broadcast(self, whole: bytes | memoryview = b"") -> bytes:
        """What rank 0 gives, on every host; what the others give is not looked at."""

    def barrier(self) -> None:
        """Return once every host has come here."""

    def anyone(self, wish: bool) -> bool:
        """Whether any host wishes it: the same answer on all, as for `anyone(context.should_stop())`."""

    def mean(self, arrays: Sequence[NDArray[np.float32]], weight: float = 1.0) -> None:
        """Replace the contents of arrays by their mean over the hosts, the same bits on every host.

        The arrays are C-contiguous and as many and as large on each host. `weight` is what this host's count for, 0
        for nothing; at least one host's must be above 0.
        """


class Context(Protocol):
    """What the training flow offers to an algorithm (`sagedock.training.context` is the real one)."""

    @property
    def cluster(self) -> Cluster:
        """The hosts of this job; an algorithm whose `hosts` is "one" need not look."""

    @property
    def environment(self) -> Mapping[str, str]:
        """The job's environment, for the variables that an algorithm documents."""

    @property
    def device(self) -> str:
        """'cpu' or 'gpu', decided already."""

    @property
    def checkpoints(self) -> Path | None:
        """Where checkpoints live, or None when checkpointing is off. All hosts share it: only rank 0 writes there."""

    @property
    def output_data(self) -> Path:
        """For artefacts beside the model; each host but the first has a directory of its own."""

    @property
    def model_directory(self) -> Path:
        """For an algorithm that saves its model while it trains; the flow calls Model.save at the end anyway."""

    def should_stop(self) -> bool:
        """True once SIGTERM arrived: finish the round, return what there is."""

    def something_to_save(self) -> None:
        """From now on SIGTERM no longer ends the job where it stands, since there is a model worth waiting for.

        Until this call it does, by Stopped; a request that came before the call ends the job now.
        """

    def unless_stopped(self, work: Callable[[], Result]) -> Result | None:
        """What `work` returns; None once SIGTERM arrived, which leaves it at once, even where it waits for a pipe.

        For work that the model, once there is `something_to_save`, can do without.
        """

    def emit(self, line: str) -> None:
        """Write one metric line to stdout, flushed, whatever a progress bar is doing."""

    def progress(self, done: int, total: int) -> None:
        """Tell the progress bar, if there is one, how many rounds or epochs are done."""


@dataclass(frozen=True)
class Metric:
    """A figure that the log carries for SageMaker to find: the members of an API MetricDefinition, and its goal."""

    name: str
    regex: str
    goal: str  # "Maximize" or "Minimize"


@dataclass(frozen=True)
class Algorithm:
    """Frozen facts of one algorithm; parsers, documents and tests are derived from them."""

    name: str
    package: str
    summary: str
    hyperparameters: Declaration
    channels: Sequence[ChannelSpecification]
    metrics: Sequence[Metric]
    request_types: Sequence[str]
    response_types: Sequence[str]
    default_request_type: str
    default_response_type: str
    distributions: Sequence[str] = field(default=())
    """Packages whose versions the manifest records, where they are installed."""
    artefacts: Sequence[str] = field(default=())
    """Glob patterns by which a model directory without a manifest is recognised."""
    kinds: Sequence[Kind] = field(default=())
    """Kinds of files that no other algorithm has: where there are some, a name that fits is not enough, and a file
    that is of them decides against algorithms that go by names."""
    batch_response_type: str | None = None
    """What an Accept that leaves it open means in batch transform (SAGEMAKER_BATCH), where that is another type."""
    refuses_empty_bodies: bool = False
    """Whether a request without a body is an error (400), and not one without records (204)."""
    answers_in_kind: bool = False
    """Whether an answer has the type of its request, whatever Accept says."""
    hosts: Literal["one", "many"] = "one"
    """Whether several hosts may train one model; the flow refuses more than one to algorithms of one."""
    needs: Sequence[str] = field(default=())
    """Packages that training needs and that an installation may lack, such as torch; the flow then says so at once."""
    serving_needs: Sequence[str] = field(default=())
    """Those of them that serving needs, too."""
    extra: str = "torch"
    """The extra of sagedock that brings what it needs."""
    unneeded: Sequence[str] = field(default=())
    """Packages that a library below imports merely because they are installed. They are hidden while a model is trained
    or loaded, which saves seconds and memory."""

    def train(self, hyperparameters: Values, channels: Mapping[str, Channel], context: Context) -> Trained | None:
        """Train on `channels`; raises UserError for whatever is wrong with the data.

        With several hosts only what rank 0 returns is saved; the others may return None.
        """
        train = cast("Callable[..., Trained | None]", self._member("training", "train"))
        return train(hyperparameters, channels, context)

    def load(self, directory: Path, manifest: Manifest | None, options: InferenceOptions) -> Model[Any]:
        """The model in `directory`; raises ModelError when it cannot be used."""
        return cast("Callable[..., Model[Any]]", self._member("model", "load"))(directory, manifest, options)

    def require(self, packages: Sequence[str], does: Literal["trains", "serves"]) -> None:
        """Raise PlatformError where one of `packages` is not installed."""
        missing = [package for package in packages if find_spec(package) is None]
        if missing:
            without = "" if self.serving_needs else ". Its models are served without"
            raise PlatformError(
                f"{self.name} {does} with {', '.join(missing)}, not installed here: take an image that scripts/build "
                f"made without --without-torch, or install sagedock[{self.extra}]{without}"
            )

    def accepts(self, media_type: MediaType) -> bool:
        """Whether a request of this type is read."""
        return media_type.essence in self.request_types

    def description(self) -> dict[str, Any]:
        """These facts as JSON values, for `sagedock describe`."""
        return {
            "name": self.name,
            "summary": self.summary,
            "channels": [asdict(channel) for channel in self.channels],
            "request_types": list(self.request_types),
            "response_types": list(self.response_types),
            "metric_definitions": [{"Name": metric.name, "Regex": metric.regex} for metric in self.metrics],
            "hyperparameters": [
                {
                    "name": parameter.name,
                    "type": parameter.kind.type_text,
                    "range": parameter.kind.range_text,
                    "required": parameter.required,
                    "default": parameter.default if parameter.default is not None else parameter.library_default,
                    "tuning_range": parameter.tuning,
                    "aliases": list(parameter.aliases),
                    "description": parameter.description,
                }
                for parameter in self.hyperparameters.parameters
            ],
        }

    def _member(self, module: str, name: str) -> object:
        return getattr(importlib.import_module(f"{self.package}.{module}"), name)


@contextmanager
def hidden(packages: Iterable[str]) -> Iterator[None]:
    """To an import inside the block, `packages` are not installed."""
    absent = [name for name in packages if name not in sys.modules]
    sys.modules.update(dict.fromkeys(absent))  # type: ignore[arg-type] # None is how Python is told that it is absent
    try:
        yield
    finally:
        for name in absent:
            sys.modules.pop(name, None)  # another thread that loads a model may have hidden them too
