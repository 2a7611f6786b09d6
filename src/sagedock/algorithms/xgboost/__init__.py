"""XGBoost: gradient boosted trees, a drop-in replacement of SageMaker's built-in algorithm."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.xgboost.hyperparameters import HYPERPARAMETERS
from sagedock.algorithms.xgboost.metrics import METRICS, direction
from sagedock.contracts.channels import ChannelSpecification
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, LIBSVM, PARQUET, RECORDIO

_TRAINING_TYPES = (LIBSVM, CSV, PARQUET, RECORDIO)
_PIPE_TYPES = (CSV, PARQUET, RECORDIO)


def _channel(name: str, description: str, *, required: bool) -> ChannelSpecification:
    return ChannelSpecification(
        name=name,
        required=required,
        description=description,
        content_types=_TRAINING_TYPES,
        input_modes=("File", "Pipe"),
        pipe_content_types=_PIPE_TYPES,
    )


def _metric(channel: str, metric: str) -> Metric:
    """A metric of the log line; SageMaker shows a TAB as #011, and XGBoost names tweedie-nloglik with its power.

    The value ends at the next #011, which the built-in's own (\\S+) runs across.
    """
    power = r"(?:@[^:\s]+)?" if metric == "tweedie-nloglik" else ""
    regex = rf".*\[[0-9]+\].*#011{channel}-{metric}{power}:([^#\s]+)"
    return Metric(name=f"{channel}:{metric}", regex=regex, goal=direction(metric))


ALGORITHM = Algorithm(
    name="xgboost",
    package=__name__,
    summary="Gradient boosted trees for classification, regression and ranking of tables",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        _channel("train", "Rows to learn from.", required=True),
        _channel("validation", "Rows that every round is evaluated on.", required=False),
        ChannelSpecification(
            name="feature-names",
            required=False,
            description="One line per feature column, for the report; an addition of sagedock's.",
            content_types=("text/plain",),
        ),
    ),
    metrics=tuple(_metric(channel, metric) for channel in ("train", "validation") for metric in METRICS),
    request_types=(CSV, LIBSVM, JSON, JSON_LINES, PARQUET, RECORDIO),
    response_types=(CSV, JSON, JSON_LINES, RECORDIO),
    default_request_type=LIBSVM,
    default_response_type=CSV,
    artefacts=("xgboost-model", "xgboost-model-*", "*.ubj", "*.json", "*.model"),
    distributions=("xgboost", "xgboost-cpu", "numpy", "scipy", "pyarrow"),
    unneeded=("sklearn", "pandas"),
)
