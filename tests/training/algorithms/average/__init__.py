"""An algorithm for tests of several hosts: the average of all numbers in the files of all hosts."""

from sagedock.algorithm import Algorithm
from sagedock.contracts.channels import ChannelSpecification
from sagedock.contracts.hyperparameters import Declaration

ALGORITHM = Algorithm(
    name="average",
    package=__name__,
    summary="the average of numbers",
    hyperparameters=Declaration(()),
    channels=(ChannelSpecification("train", True, "numbers, one a line", ("text/csv",)),),
    metrics=(),
    request_types=(),
    response_types=(),
    default_request_type="text/csv",
    default_response_type="text/csv",
    hosts="many",
)
