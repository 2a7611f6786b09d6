"""BlazingText: word vectors and text classification, a drop-in replacement of SageMaker's built-in algorithm."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.blazingtext.hyperparameters import HYPERPARAMETERS
from sagedock.contracts.channels import ChannelSpecification
from sagedock.contracts.signatures import FASTTEXT, WORD_VECTORS
from sagedock.formats.media_types import JSON, JSON_LINES, PLAIN_TEXT, RECORDIO_WRAPPED

_TRAINING_TYPES = (PLAIN_TEXT, RECORDIO_WRAPPED)


def _channel(name: str, description: str, *, required: bool) -> ChannelSpecification:
    return ChannelSpecification(
        name=name,
        required=required,
        description=description,
        content_types=_TRAINING_TYPES,
        input_modes=("File", "Pipe"),
        pipe_content_types=_TRAINING_TYPES,
    )


def _metric(name: str, line: str) -> Metric:
    return Metric(name=name, regex=rf"#{line}: (\S+)", goal="Maximize")


ALGORITHM = Algorithm(
    name="blazingtext",
    package=__name__,
    summary="Word vectors (word2vec, subwords) and text classification, in fastText's file formats",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        _channel(
            "train", "Text, a sentence a line, tokens separated by spaces; labelled in mode supervised.", required=True
        ),
        _channel(
            "validation", "Labelled lines that the classifier is judged by; mode supervised only.", required=False
        ),
    ),
    metrics=(
        _metric("train:accuracy", "train_accuracy"),
        _metric("validation:accuracy", "validation_accuracy"),
        _metric("train:mean_rho", "mean_rho"),
    ),
    request_types=(JSON, JSON_LINES),
    response_types=(JSON, JSON_LINES),
    default_request_type=JSON,
    default_response_type=JSON,
    artefacts=("*.bin", "*.ftz", "vectors.txt"),
    kinds=(FASTTEXT, WORD_VECTORS),
    distributions=("numpy", "scipy", "gensim"),
    answers_in_kind=True,
    hosts="many",
)
