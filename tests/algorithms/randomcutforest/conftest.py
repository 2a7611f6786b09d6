"""Jobs of the algorithm, who computes, and the series of the Numenta Anomaly Benchmark in the shared data folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from sagedock import core
from sagedock.formats.table import Floats
from tests.algorithms.randomcutforest import data
from tests.platform import Job

NAB = Path(__file__).parents[4] / "shared" / "data" / "nab" / "data"


@pytest.fixture
def make_job(tmp_path: Path) -> Callable[..., Job]:
    """Makes a job on CSV rows; `test` are labels and rows of the test channel, `given` more hyperparameters."""

    def make(
        name: str = "job",
        train: Floats | str | None = None,
        test: tuple[Floats, Floats] | None = None,
        **given: str | None,
    ) -> Job:
        rows = data.rows() if train is None else train
        columns = {} if isinstance(rows, str) else {"feature_dim": str(rows.shape[1])}
        asked = {"num_trees": "50", "num_samples_per_tree": "16", **columns, **given}
        job = Job(
            tmp_path / name,
            {name: value for name, value in asked.items() if value is not None},
            {"SAGEDOCK_ALGORITHM": "randomcutforest"},
        )
        text = rows if isinstance(rows, str) else data.csv(rows)
        job.add_channel("train", {"rows.csv": text}, ContentType="text/csv;label_size=0")
        if test is not None:
            labels, features = test
            job.add_channel("test", {"rows.csv": data.csv(features, labels)}, ContentType="text/csv;label_size=1")
        return job

    return make


@pytest.fixture(scope="session")
def series() -> Callable[[str], Floats]:
    """The values (n, 1) of one of NAB's files."""
    if not NAB.is_dir():
        pytest.skip(f"the shared data folder {NAB} is absent")

    def read(name: str) -> Floats:
        lines = (NAB / f"{name}.csv").read_text().splitlines()[1:]
        return np.array([[float(line.split(",")[1])] for line in lines], np.float32)

    return read


@pytest.fixture(params=["core", "numpy"], scope="module")
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """Who computes."""
    native = core.native
    if request.param == "core" and native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    core.native = native if request.param == "core" else None
    yield request.param
    core.native = native
