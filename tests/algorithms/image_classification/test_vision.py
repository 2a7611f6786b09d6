"""torchvision beside any torch: each world in a new process, since an operator is declared once."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.platform import PATIENCE_SECONDS

pytest.importorskip("torch")
if find_spec("torchvision") is None:
    pytest.skip("torchvision is not installed", allow_module_level=True)

SOURCE = Path(__file__).parents[3] / "src" / "sagedock"
GUARD = "from sagedock.algorithms.image_classification import vision\nvision.torchvision()\n"
WORKS = """
import sys, torch
from torchvision.transforms import v2
found = vision.torchvision()
assert found is sys.modules["torchvision"]
picture = v2.RandomCrop(32)(torch.zeros(3, 40, 40, dtype=torch.uint8))
network = found.models.resnet18(num_classes=4).eval()
print(tuple(network(picture[None] / 255).shape), found.extension._has_ops(), found.__file__)
"""
FITTING = r"""
#include <cstdint>
struct Opaque;
extern "C" int32_t aoti_torch_library_init_def(const char*, const char*, uint32_t, Opaque**);
extern "C" int32_t aoti_torch_library_init_impl(const char*, const char*, const char*, uint32_t, Opaque**);
extern "C" int32_t aoti_torch_library_def(Opaque*, const char*);
extern "C" int32_t aoti_torch_library_impl(Opaque*, const char*, void (*)(uint64_t*, uint64_t, uint64_t));
static const char* operators[] = {
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor", "_cuda_version() -> int",
    "roi_align(Tensor x) -> Tensor", "_roi_align_backward(Tensor x) -> Tensor",
    "ps_roi_align(Tensor x) -> Tensor", "_ps_roi_align_backward(Tensor x) -> Tensor",
    "roi_pool(Tensor x) -> Tensor", "_roi_pool_backward(Tensor x) -> Tensor",
    "ps_roi_pool(Tensor x) -> Tensor", "_ps_roi_pool_backward(Tensor x) -> Tensor",
    "deform_conv2d(Tensor x) -> Tensor", "_deform_conv2d_backward(Tensor x) -> Tensor",
    "qroi_align(Tensor x) -> Tensor"};
static void no_cuda(uint64_t* stack, uint64_t, uint64_t) { stack[0] = static_cast<uint64_t>(-1); }
struct Loaded {
    Loaded() {
        Opaque* library;
        aoti_torch_library_init_def("torchvision", __FILE__, __LINE__, &library);
        for (const char* schema : operators) aoti_torch_library_def(library, schema);
        aoti_torch_library_init_impl("torchvision", "CompositeExplicitAutograd", __FILE__, __LINE__, &library);
        aoti_torch_library_impl(library, "_cuda_version", no_cuda);
    }
} loaded;
"""
"""What a torchvision that fits tells torch when it is loaded: its operators and, once asked, that it knows no CUDA."""


def _run(code: str, folder: Path | None = None) -> str:
    """What a new process prints; modules in `folder` come before those that are installed."""
    found = [] if folder is None else [f"import sys; sys.path.insert(0, {str(folder)!r})"]
    ran = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", "\n".join([*found, code])],
        capture_output=True,
        text=True,
        timeout=PATIENCE_SECONDS,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.strip()


def _copied(folder: Path) -> Path:
    """torchvision without what is compiled."""
    spec = find_spec("torchvision")
    assert spec is not None
    assert spec.origin is not None
    shutil.copytree(
        Path(spec.origin).parent, folder / "torchvision", ignore=shutil.ignore_patterns("*.so", "datasets/_*")
    )
    return folder


@pytest.fixture(scope="module")
def fitting(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """torchvision with a library that the torch of this environment can load."""
    if shutil.which("g++") is None:
        pytest.skip("there is no g++")
    import torch

    folder = _copied(tmp_path_factory.mktemp("fitting"))
    libraries = Path(torch.__file__).parent / "lib"
    command = ["g++", "-x", "c++", "-shared", "-fPIC", "-o", str(folder / "torchvision" / "_C.so"), "-"]
    command += [f"-L{libraries}", "-ltorch_cpu", "-lc10", f"-Wl,-rpath,{libraries}"]
    subprocess.run(command, input=FITTING, text=True, check=True)
    return folder


def test_the_installed_one_works() -> None:
    """Issue 8 item 2: whichever build it is. (The tests of deepar's network import GluonTS and lightning after it.)"""
    assert _run(GUARD + WORKS).startswith("(1, 4) ")


def test_a_library_that_fits_is_the_one_used(fitting: Path) -> None:
    """Nothing is declared in its place."""
    shape, has_operators, file = _run(GUARD + WORKS, fitting).rsplit(" ", 2)
    assert (shape, has_operators) == ("(1, 4)", "True")
    assert file.startswith(str(fitting))


def test_without_a_library_that_fits_the_operators_are_declared(tmp_path: Path) -> None:
    """One built for what is not here: the plain import fails, and this one does not."""
    folder = _copied(tmp_path)
    (folder / "torchvision" / "_C.so").write_bytes(b"\x7fELF of another machine")
    plain = "try:\n    import torchvision\nexcept RuntimeError as error:\n    print(error)"
    assert "operator torchvision::nms does not exist" in _run(plain, folder)
    shape, has_operators, file = _run(GUARD + WORKS, folder).rsplit(" ", 2)
    assert (shape, has_operators) == ("(1, 4)", "False")
    assert file.startswith(str(folder))


def test_threads_may_come_first_together(tmp_path: Path) -> None:
    """Those of the input pipeline do, with crop_color_transform and a network of our own."""
    folder = _copied(tmp_path)
    threads = (
        "import threading, torch\nfrom concurrent.futures import ThreadPoolExecutor\n"
        "from sagedock.algorithms.image_classification import vision\nready = threading.Barrier(8)\n"
        "def first(number):\n    ready.wait()\n    return vision.torchvision().models.resnet18\n"
        "with ThreadPoolExecutor(8) as pool:\n    print(len(set(pool.map(first, range(8)))))\n"
    )
    assert _run(threads, folder) == "1"


def _imports(tree: ast.AST) -> Iterator[int]:
    """The lines on which torchvision, or a module of it, is imported."""
    for node in ast.walk(tree):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
        if any(name.partition(".")[0] == "torchvision" for name in names):
            yield node.lineno


def test_no_other_module_imports_it_unguarded() -> None:
    """Docs 0046: an import of a part of it stands below the call."""
    unguarded = [
        f"{file.relative_to(SOURCE)}:{line}"
        for file in SOURCE.rglob("*.py")
        for line in _imports(ast.parse(file.read_text()))
        if "vision.torchvision()" not in "\n".join(file.read_text().splitlines()[: line - 1])
    ]
    assert unguarded == []
