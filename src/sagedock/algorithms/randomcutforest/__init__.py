"""Random Cut Forest: anomaly scores of rows, a drop-in replacement of SageMaker's built-in algorithm."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.randomcutforest.hyperparameters import HYPERPARAMETERS, METRICS
from sagedock.contracts.channels import ChannelSpecification
from sagedock.formats.media_types import CSV, JSON, JSON_LINES, PARQUET, RECORDIO
from sagedock.metric_lines import quality_regex

_TRAINING_TYPES = (RECORDIO, CSV, PARQUET)


def _names(channel: str, description: str) -> ChannelSpecification:
    return ChannelSpecification(channel, required=False, description=description, content_types=("text/plain",))


ALGORITHM = Algorithm(
    name="randomcutforest",
    package=__name__,
    summary="Anomaly scores of rows, by a random cut forest",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        ChannelSpecification(
            name="train",
            required=True,
            description="Rows that the forest is a sample of, without labels.",
            content_types=_TRAINING_TYPES,
            input_modes=("File", "Pipe"),
            pipe_content_types=_TRAINING_TYPES,
            distribution="ShardedByS3Key",
        ),
        ChannelSpecification(
            name="test",
            required=False,
            description="Rows labelled 1 (anomaly) or 0 (normal), scored by the finished forest.",
            content_types=_TRAINING_TYPES,
            input_modes=("File", "Pipe"),
            pipe_content_types=_TRAINING_TYPES,
            distribution="FullyReplicated",
        ),
        _names("feature-names", "One line per feature column, for the report; an addition of sagedock's."),
        _names("timestamps", "One line per row of the test channel, for the report; an addition of sagedock's."),
    ),
    metrics=tuple(
        Metric(name=f"test:{name}", regex=quality_regex("test", name, "score"), goal="Maximize")
        for names in METRICS.values()
        for name in names
    ),
    request_types=(CSV, JSON, JSON_LINES, RECORDIO),
    response_types=(JSON, JSON_LINES, RECORDIO, CSV),
    default_request_type=CSV,
    default_response_type=JSON,
    artefacts=("model_algo-1", "model_algo-*"),
    hosts="many",
    distributions=("numpy", "pyarrow"),
)
