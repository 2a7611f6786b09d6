"""An algorithm for the test of what is not installed: it trains with a package that there is not."""

from sagedock.algorithm import Algorithm
from sagedock.contracts.hyperparameters import Declaration

ALGORITHM = Algorithm(
    name="lacking",
    package=__name__,
    summary="what cannot train here",
    hyperparameters=Declaration(()),
    channels=(),
    metrics=(),
    request_types=(),
    response_types=(),
    default_request_type="text/csv",
    default_response_type="text/csv",
    needs=("package_that_there_is_not", "json"),
    extra="extra_that_there_is_not",
)
