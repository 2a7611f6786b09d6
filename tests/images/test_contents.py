"""What is in the images, and what is not."""

from __future__ import annotations

import pytest

from tests.images.container import Engine
from tests.platform import Job

pytestmark = pytest.mark.docker

MEGABYTE = 1_000_000
LOCAL_BASE = 212
"""Size in MB of the base that .ci/base makes; Debian's own slim image is some 135 MB smaller."""
OURS = "/opt/sagedock /usr/local/bin"

IMPORTED_WITHOUT_BYTECODE = """
import importlib, os, pkgutil, sys
import sagedock
for module in pkgutil.walk_packages(sagedock.__path__, "sagedock."):
    if module.name not in {"sagedock.__main__"}:
        importlib.import_module(module.name)
import matplotlib.backends.backend_agg, matplotlib.backends.backend_svg, matplotlib.figure, pyarrow.csv
import pyarrow.parquet, xgboost, gensim.models, torch.distributions
torch.optim.Adam(torch.nn.Linear(1, 1).parameters())
import onnxruntime, simplejpeg, PIL.JpegImagePlugin, PIL.PngImagePlugin
from sagedock.algorithms.image_classification import vision
vision.torchvision()
import torchvision.transforms.v2
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


TORCH = """
import torch
assert not torch.cuda.is_available()
network = torch.nn.LSTM(4, 3, batch_first=True)
optimiser = torch.optim.Adam(network.parameters())
torch.distributions.StudentT(3.0).log_prob(network(torch.ones(2, 5, 4))[0]).sum().backward()
optimiser.step()
torch.multiprocessing.set_sharing_strategy("file_system")
shared = torch.zeros(3).share_memory_()
loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(torch.arange(6.0)), 2, num_workers=1)
print(int(sum(batch.sum() for batch, in loader)), shared.is_shared(), torch.version.cuda is not None)
"""


PICTURES = """
import io, sys
import numpy, simplejpeg, torch, onnxruntime
from PIL import Image
from sagedock.algorithms.image_classification import vision
models = vision.torchvision().models
from torchvision.transforms import v2
colours = numpy.full((40, 60, 3), 200, numpy.uint8)
decoded = simplejpeg.decode_jpeg(simplejpeg.encode_jpeg(colours), min_height=20, min_width=30)
written = io.BytesIO()
Image.fromarray(decoded).save(written, "PNG")
picture = torch.from_numpy(numpy.array(Image.open(written))).permute(2, 0, 1)
network = models.resnet18(num_classes=3).eval()
answer = network(v2.Resize([32, 32])(picture)[None] / 255)
print(tuple(answer.shape), sys.modules["torchvision"].extension._has_ops())
print("CPUExecutionProvider" in onnxruntime.get_available_providers())
"""
"""Decoded small, stored, read, resized and classified, by all that image classification brings."""


@pytest.fixture(params=["cpu", "gpu"])
def either(request: pytest.FixtureRequest) -> Engine:
    return request.getfixturevalue(request.param)


def _megabytes(engine: Engine) -> float:
    return engine.client.images.get(engine.image).attrs["Size"] / MEGABYTE


def test_size(cpu: Engine, cpu_without_torch: Engine) -> None:
    """Issue 2, item 9: without torch under 600 MB on the local base; docs 0046: with all 1.2 GB (contract G08: 2)."""
    sizes = _megabytes(cpu), _megabytes(cpu_without_torch)
    assert sizes[0] < 1_200, f"{sizes} MB, of which {LOCAL_BASE} MB are the base"
    assert sizes[1] < 600, f"{sizes} MB, of which {LOCAL_BASE} MB are the base"


def test_size_of_the_gpu_image(gpu: Engine) -> None:
    """Contract G08 asks for 10 GB."""
    assert _megabytes(gpu) < 6_000


def test_torch_computes(either: Engine) -> None:
    """Contract C17, 8: pruned, it trains and shares memory on a machine that has neither GPU nor driver."""
    run = either.run(["python3", "-c", TORCH], network_mode="none", read_only=True, tmpfs={"/tmp": ""})
    cuda = str(either.image == "sagedock:gpu")
    assert (run.code, run.log.split()) == (0, ["15", "True", cuda]), run.log


def test_pictures_are_classified(either: Engine) -> None:
    """Issue 8, docs 0046: pruned, with no network, as any user, with Docker's 64 MB of shared memory."""
    run = either.run(
        ["python3", "-c", PICTURES], network_mode="none", read_only=True, tmpfs={"/tmp": ""}, user="12345:12345"
    )
    assert run.code == 0, run.log
    assert run.log.splitlines()[0].startswith("(1, 3) ")
    assert run.log.splitlines()[1] == "True"


def test_torchvision_fits_the_torch_for_cuda(gpu: Engine) -> None:
    """Docs 0046: where both are the lock's, its own library is loaded."""
    run = gpu.run(["python3", "-c", PICTURES], network_mode="none", read_only=True, tmpfs={"/tmp": ""})
    assert run.log.splitlines()[0] == "(1, 3) True", run.log


def test_no_image_without_torch_has_what_pictures_need(cpu_without_torch: Engine) -> None:
    """Docs 0046: it comes in torch's layer, and is most of what the limit of 600 MB has no room for."""
    for package in ("torchvision", "onnxruntime", "simplejpeg"):
        run = cpu_without_torch.run(["python3", "-c", f"import {package}"], network_mode="none")
        assert run.log.splitlines()[-1] == f"ModuleNotFoundError: No module named '{package}'"


def test_serving_imports_no_torch(cpu: Engine, trained: Job, held_back: bytes) -> None:
    """Docs 0033: torch in the image makes no process that serves larger or slower to start."""
    with cpu.serving(trained.base) as served:
        served.invoke(held_back)
        mapped = served.container.exec_run(["sh", "-c", "cat /proc/[0-9]*/maps"]).output.decode()
    assert "/sagedock/_core" in mapped
    assert "libtorch" not in mapped


def test_an_image_without_torch_is_the_same_but_for_torch(cpu: Engine, cpu_without_torch: Engine) -> None:
    """Docs 0033: its layers are the other's up to torch's, which is one layer; so it costs neither disk nor time."""
    full, lean = (
        engine.client.images.get(engine.image).attrs["RootFS"]["Layers"] for engine in (cpu, cpu_without_torch)
    )
    differing = [number for number, layers in enumerate(zip(full, lean, strict=True)) if len(set(layers)) > 1]
    assert differing[0] == 3, "the base, Debian's packages and the environment come first"
    run = cpu_without_torch.run(["pip", "check"], network_mode="none")
    assert run.code == 0, run.log
    run = cpu_without_torch.run(["python3", "-c", "import torch"], network_mode="none")
    assert run.log.splitlines()[-1] == "ModuleNotFoundError: No module named 'torch'"


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
