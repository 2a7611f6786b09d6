"""Latent Dirichlet Allocation: topics of documents, a drop-in replacement of SageMaker's built-in algorithm."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.lda.hyperparameters import HYPERPARAMETERS, PWLL
from sagedock.contracts.channels import ChannelSpecification
from sagedock.formats.media_types import CSV, JSON, RECORDIO
from sagedock.metric_lines import quality_regex
from sagedock.topics.model import RESPONSE_TYPES
from sagedock.topics.raw_text import TYPES
from sagedock.topics.requests import REQUEST_TYPES


def _documents(name: str, description: str, *, required: bool) -> ChannelSpecification:
    return ChannelSpecification(
        name=name,
        required=required,
        description=description,
        content_types=(RECORDIO, CSV, *TYPES),
        input_modes=("File", "Pipe"),
        pipe_content_types=(RECORDIO, *TYPES),
        distribution="FullyReplicated",
    )


ALGORITHM = Algorithm(
    name="lda",
    package=__name__,
    summary="Topics of documents, by latent Dirichlet allocation",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        _documents("train", "Documents as counts of words, or as raw text (an addition of sagedock's).", required=True),
        _documents("test", "Documents that the finished model is judged by.", required=False),
        ChannelSpecification(
            name="auxiliary",
            required=False,
            description="vocab.txt, a word a line, as of NTM; an addition of sagedock's.",
            content_types=("text/plain",),
            distribution="FullyReplicated",
        ),
    ),
    metrics=(Metric(name=f"test:{PWLL}", regex=quality_regex("test", PWLL, "score"), goal="Maximize"),),
    request_types=REQUEST_TYPES,
    response_types=RESPONSE_TYPES,
    default_request_type=CSV,
    default_response_type=JSON,
    artefacts=("lda.npz",),
    distributions=("numpy", "scipy", "gensim"),
)
