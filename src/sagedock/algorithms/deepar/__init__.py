"""DeepAR: probabilistic forecasts of many series by one recurrent network, a replacement of SageMaker's built-in."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.deepar.hyperparameters import HYPERPARAMETERS
from sagedock.contracts import signatures
from sagedock.contracts.channels import ChannelSpecification
from sagedock.formats.media_types import GZIPPED_JSON, JSON, JSON_LINES, PARQUET
from sagedock.metric_lines import quality_regex

_TRAINING_TYPES = (JSON_LINES, JSON, GZIPPED_JSON, PARQUET)


def _channel(name: str, description: str, *, required: bool) -> ChannelSpecification:
    return ChannelSpecification(name, required, description, _TRAINING_TYPES)


ALGORITHM = Algorithm(
    name="forecasting-deepar",
    package=__name__,
    summary="Probabilistic forecasts of many related series by one recurrent network (DeepAR)",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        _channel("train", "Series, one a line: start, target and, optionally, cat and dynamic_feat.", required=True),
        _channel(
            "test", "Series whose last prediction_length points are withheld, forecast and compared.", required=False
        ),
    ),
    metrics=(
        Metric("test:RMSE", quality_regex("test", "RMSE"), "Minimize"),
        Metric("test:mean_wQuantileLoss", quality_regex("test", "mean_wQuantileLoss"), "Minimize"),
        Metric("train:final_loss", r"#quality_metric: host=\S+, train final_loss <loss>=(\S+)", "Minimize"),
    ),
    request_types=(JSON, JSON_LINES),
    response_types=(JSON, JSON_LINES),
    default_request_type=JSON,
    default_response_type=JSON,
    distributions=("numpy", "torch", "pyarrow"),
    artefacts=("model_algo-1",),
    kinds=(signatures.JSON,),
    answers_in_kind=True,
    hosts="many",
    needs=("torch",),
)
