"""Image classification by residual networks, a drop-in replacement of SageMaker's built-in algorithm."""

from sagedock.algorithm import Algorithm, Metric
from sagedock.algorithms.image_classification.hyperparameters import ACCURACY, HYPERPARAMETERS
from sagedock.contracts.channels import ChannelSpecification
from sagedock.formats.media_types import JSON, JSON_LINES, RECORDIO_WRAPPED

_ANY_PICTURE = "application/x-image"
_PICTURES = ("image/jpeg", "image/png", _ANY_PICTURE)
_TRAINING_TYPES = (RECORDIO_WRAPPED, *_PICTURES)


def _pictures(name: str, description: str) -> ChannelSpecification:
    return ChannelSpecification(
        name=name,
        required=True,
        description=f"{description}: RecordIO of MXNet, picture files that a list names, or a folder for each class.",
        content_types=_TRAINING_TYPES,
        input_modes=("File", "Pipe"),
        pipe_content_types=_TRAINING_TYPES,
        distribution="FullyReplicated",
    )


def _list(of: str) -> ChannelSpecification:
    return ChannelSpecification(
        name=f"{of}_lst",
        required=False,
        description=f"One .lst file that names the pictures of the channel {of} and their classes.",
        content_types=(_ANY_PICTURE, *_PICTURES[:2], "text/plain"),
        distribution="FullyReplicated",
    )


ALGORITHM = Algorithm(
    name="image-classification",
    package=__name__,
    summary="Classes of pictures, by a residual network that is trained anew or goes on from another",
    hyperparameters=HYPERPARAMETERS,
    channels=(
        _pictures("train", "Pictures to learn from"),
        _pictures("validation", "Pictures by which the best epoch is chosen"),
        _list("train"),
        _list("validation"),
        ChannelSpecification(
            name="model",
            required=False,
            description="A network to begin with: model.tar.gz of an earlier job, a state dict of torchvision, or "
            "safetensors.",
            content_types=("application/x-sagemaker-model",),
            distribution="FullyReplicated",
        ),
    ),
    metrics=(
        Metric(f"validation:{ACCURACY}", r"Epoch\[\d+\] Validation-accuracy=([0-9\.]+)", "Maximize"),
        Metric(f"train:{ACCURACY}", r"Epoch\[\d+\] Train-accuracy=([0-9\.]+)", "Maximize"),
    ),
    request_types=_PICTURES,
    response_types=(JSON, JSON_LINES),
    default_request_type=_ANY_PICTURE,
    default_response_type=JSON,
    distributions=("numpy", "torch", "torchvision", "onnxruntime", "pillow", "simplejpeg"),
    artefacts=("image-classification-symbol.json", "image-classification-*.params"),
    hosts="many",
    batch_response_type=JSON_LINES,
    refuses_empty_bodies=True,
    needs=("torch", "torchvision", "PIL", "simplejpeg", "onnxruntime"),
    serving_needs=("PIL", "simplejpeg", "onnxruntime"),
    extra="images",
)
