"""Neural topic models: topics of documents by a network, a drop-in replacement of SageMaker's built-in NTM."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.ntm.hyperparameters import HYPERPARAMETERS, LOSS
from sagedock.contracts.channels import ChannelSpecification
from sagedock.formats.media_types import CSV, JSON, RECORDIO
from sagedock.metric_lines import quality_regex
from sagedock.topics.model import RESPONSE_TYPES
from sagedock.topics.raw_text import TYPES
from sagedock.topics.requests import REQUEST_TYPES

_TRAINING_TYPES = (RECORDIO, CSV, *TYPES)


def _documents(name: str, description: str, *, required: bool = False) -> ChannelSpecification:
    return ChannelSpecification(
        name=name,
        required=required,
        description=description,
        content_types=_TRAINING_TYPES,
        input_modes=("File", "Pipe"),
        pipe_content_types=_TRAINING_TYPES,
        distribution=None if required else "FullyReplicated",
    )


ALGORITHM = Algorithm(
    name="ntm",
    package=__name__,
    summary="Topics of documents, by a neural network",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        _documents("train", "Documents as counts of words, or as raw text (an addition of sagedock's).", required=True),
        _documents("validation", "Documents by which training ends early and the best epoch is chosen."),
        _documents("test", "Documents that the finished model is judged by."),
        ChannelSpecification(
            name="auxiliary",
            required=False,
            description="vocab.txt, a word a line: the words by their indices.",
            content_types=("text/plain",),
            distribution="FullyReplicated",
        ),
    ),
    metrics=(
        Metric(name=f"train:{LOSS}", regex=quality_regex("train", LOSS), goal="Minimize"),
        Metric(name=f"validation:{LOSS}", regex=quality_regex("validation", LOSS), goal="Minimize"),
        Metric(name=f"test:{LOSS}", regex=quality_regex("test", LOSS), goal="Minimize"),
    ),
    request_types=REQUEST_TYPES,
    response_types=RESPONSE_TYPES,
    default_request_type=CSV,
    default_response_type=JSON,
    artefacts=("ntm.safetensors",),
    distributions=("numpy", "scipy", "torch"),
    hosts="many",
    needs=("torch",),
)
