"""What is in the images, and what is not."""

from __future__ import annotations

import pytest

from tests.images.container import Engine

pytestmark = pytest.mark.docker

MEGABYTE = 1_000_000
LOCAL_BASE = 212
"""Size in MB of the base that .ci/base makes; Debian's own slim image is some 135 MB smaller."""
OURS = "/opt/sagedock /usr/local/bin"

IMPORTED_WITHOUT_BYTECODE = """
import importlib, importlib.util, os, pkgutil, sys
import sagedock
for module in pkgutil.walk_packages(sagedock.__path__, "sagedock."):
    if module.name not in {"sagedock.__main__"}:
        try:
            importlib.import_module(module.name)
        except ModuleNotFoundError as error:
            if error.name != "torch": # which the CPU image has not: such modules are for GPUs
                raise
import matplotlib.backends.backend_agg, matplotlib.backends.backend_svg, matplotlib.figure, pyarrow.csv
import pyarrow.parquet, xgboost, gensim.models
if importlib.util.find_spec("torch"):
    import torch
for module in list(sys.modules.values()):
    source, compiled = (vars(module).get(name) or "" for name in ("__file__", "__cached__"))
    if source.endswith(".py") and compiled and not os.path.exists(compiled):
        print(module.__name__)
"""

WORD_VECTORS = """
from gensim.models import FastText, KeyedVectors, Word2Vec
sentences = [["a", "b", "c"]] * 50
model = Word2Vec(sentences, vector_size=8, min_count=1, workers=1, seed=1)
model.wv.save_word2vec_format("/tmp/vectors.txt")
read = KeyedVectors.load_word2vec_format("/tmp/vectors.txt")
print(len(read))
print(FastText(sentences, vector_size=8, min_count=1, workers=1).wv["unseen"].shape == (8,))
"""


@pytest.fixture(params=["cpu", "gpu"])
def either(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(request.param)


def test_size(cpu: Engine) -> None:
    """Issue 2, item 9: under 600 MB on the local base (contract G08 asks for 2 GB)."""
    size = cpu.client.images.get(cpu.image).attrs["Size"] / MEGABYTE
    assert size < 600, f"{size:.0f} MB, of which {LOCAL_BASE} MB are the base"


def test_size_of_the_gpu_image(gpu: Engine) -> None:
    """Contract G08 asks for 10 GB."""
    assert gpu.client.images.get(gpu.image).attrs["Size"] / MEGABYTE < 6_000


def test_everything_is_readable_by_everybody(either: Engine) -> None:
    """Contract G07: files readable, directories and scripts executable too."""
    run = either.shell(
        f"find {OURS} ! -type l ! -perm -o=r; find {OURS} -type d ! -perm -o=x; "
        "find /usr/local/bin -type f ! -perm -o=x"
    )
    assert (run.code, run.log) == (0, "")


def test_no_compiler(either: Engine) -> None:
    """Compilers and headers stay in the build stage."""
    run = either.shell("for tool in gcc g++ cc c++ make ld; do command -v $tool; done; ls -d /usr/include/python3*")
    assert [line for line in run.log.splitlines() if not line.startswith("ls:")] == []


def test_no_caches(either: Engine) -> None:
    """Neither pip nor apt left anything behind; what the base brought is the base's."""
    run = either.shell(
        "find /root/.cache /tmp /var/cache/apt -type f '(' -path '/var/*python*' -o ! -path '/var/*' ')'"
    )
    assert [line for line in run.log.splitlines() if not line.startswith("find:")] == []


def test_no_test_folders(either: Engine) -> None:
    """Tests of other packages are no part of an image."""
    run = either.shell("find /opt/sagedock /usr/lib/python3* -type d '(' -name tests -o -name test ')'")
    assert (run.code, run.log) == (0, "")


def test_nothing_under_opt_ml(either: Engine) -> None:
    """Contract 1.1: the whole tree is SageMaker's, and gets mounted over."""
    assert either.shell("test ! -e /opt/ml").code == 0


def test_what_is_imported_is_compiled(either: Engine) -> None:
    """Modules without bytecode make every start slower, since nothing can be written at run time."""
    run = either.run(
        ["python3", "-c", IMPORTED_WITHOUT_BYTECODE], network_mode="none", read_only=True, tmpfs={"/tmp": ""}
    )
    assert run.code == 0, run.log
    assert run.log.split() == []


def test_pruned_packages_still_work(either: Engine) -> None:
    """What was taken out and stripped is missed by nothing that users' scripts may import."""
    modules = (
        "boto3 fontTools.ttLib gensim.models.fasttext google.protobuf.json_format matplotlib.pyplot "
        "mpl_toolkits.mplot3d numpy.testing PIL.Image pyarrow.compute pyarrow.dataset pyarrow.feather pyarrow.orc "
        "pyarrow.parquet sagemaker_training.environment scipy.io scipy.optimize scipy.signal scipy.spatial scipy.stats "
        "xgboost.sklearn"
    )
    statements = [f"import {', '.join(modules.split())}", "boto3.client('s3', region_name='eu-central-1')"]
    run = either.run(["python3", "-c", "\n".join(statements)], environment={"SAGEMAKER_BASE_DIR": "/tmp/ml"})
    assert (run.code, run.complaints) == (0, []), run.log


def test_word_vectors_as_users_know_them(either: Engine) -> None:
    """gensim, without its tests and sources: it trains, writes and reads, with no network and a read-only root."""
    run = either.run(["python3", "-c", WORD_VECTORS], network_mode="none", read_only=True, tmpfs={"/tmp": ""})
    assert (run.code, run.log.split()) == (0, ["3", "True"]), run.log


def test_pip_finds_its_packages_whole(either: Engine) -> None:
    """Every installed distribution has what it requires."""
    run = either.run(["pip", "check"], network_mode="none")
    assert run.code == 0, run.log
