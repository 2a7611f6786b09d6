"""From a trained network to the served one: the same answers, in a file that other ONNX libraries read."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")

from sagedock.algorithms.image_classification import engine, export, graph, onnx_file
from sagedock.algorithms.image_classification.description import Description
from sagedock.algorithms.image_classification.hyperparameters import HYPERPARAMETERS
from sagedock.algorithms.image_classification.layouts import LAYOUTS
from sagedock.errors import ModelError
from tests.algorithms.image_classification import served

SMALL, GREY, LARGE = (3, 24, 20), (1, 28, 28), (3, 48, 40)
NETWORKS = [(20, SMALL), (20, GREY), (18, SMALL), (18, (1, 40, 48)), (50, LARGE)]


@pytest.mark.parametrize(("layers", "shape"), NETWORKS)
def test_answers_are_torchs(layers: int, shape: tuple[int, int, int], tmp_path: Path) -> None:
    made = served.network(layers, shape)
    described = served.description(made)
    run = engine.opened(served.exported(made, described, tmp_path), described)
    shown = served.pictures(shape)
    found, expected = run(shown), served.expected(made, shown)
    assert np.ptp(expected, axis=0).max() > 0.01  # answers differ between pictures
    np.testing.assert_allclose(found, expected, atol=1e-4, rtol=0)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-5)


def test_our_own_bottlenecks_and_wide_stem(tmp_path: Path) -> None:
    made = served.network(200, (3, 33, 33), stem=7)
    described = served.description(made)
    run = engine.opened(served.exported(made, described, tmp_path), described)
    shown = served.pictures((3, 33, 33), 2)
    # over 200 layers the two round 1e-4 to 4e-4 apart, by the pictures and by what instructions the processor has
    np.testing.assert_allclose(run(shown), served.expected(made, shown), atol=1e-3, rtol=0)


def test_multi_label_answers_are_independent(tmp_path: Path) -> None:
    """image 46"""
    made = served.network(20, SMALL)
    described = served.description(made, multi_label=True)
    shown = served.pictures(SMALL, 16)
    found = engine.opened(served.exported(made, described, tmp_path), described)(shown)
    np.testing.assert_allclose(found, served.expected(made, shown, multi_label=True), atol=1e-4, rtol=0)
    assert (found >= 0).all()
    assert (found <= 1).all()
    assert (found.sum(axis=1) > 1).any()


def test_answers_do_not_depend_on_the_batch(tmp_path: Path) -> None:
    made = served.network(18, SMALL)
    described = served.description(made)
    run = engine.opened(served.exported(made, described, tmp_path), described)
    shown = served.pictures(SMALL, 7)
    alone = np.concatenate([run(picture[None]) for picture in shown])
    np.testing.assert_allclose(run(shown), alone, atol=1e-6, rtol=0)


@pytest.mark.parametrize(("layers", "shape"), [(20, SMALL), (18, LARGE)])
def test_eight_bits_answer_nearly_the_same(layers: int, shape: tuple[int, int, int], tmp_path: Path) -> None:
    made = served.network(layers, shape)
    described = served.description(made, "int8")
    file = served.exported(made, described, tmp_path)
    shown = served.pictures(shape, 16)
    expected, found = served.expected(made, shown), engine.opened(file, described)(shown)
    assert np.abs(found - expected).max() < 0.15
    assert (found.argmax(axis=1) == expected.argmax(axis=1)).mean() >= 0.8
    exact = onnx_file.pieces(graph.build(replace(described.architecture, int8=False)))
    assert file.stat().st_size < 0.4 * sum(map(onnx_file.size_of, exact))


def test_eight_bits_need_pictures(tmp_path: Path) -> None:
    made = served.network(20, SMALL)
    with pytest.raises(ValueError, match="there are none"):
        export.write(made, served.description(made, "int8"), tmp_path / "x.onnx")
    assert not list(tmp_path.iterdir())


def test_what_eight_bits_lose_is_measured_on_pictures() -> None:
    def exact(shown: np.ndarray) -> np.ndarray:
        return np.eye(2, dtype=np.float32)[shown[:, 0, 0, 0] % 2]

    def served_one(shown: np.ndarray) -> np.ndarray:
        return np.where(shown[:, :1, 0, 0] == 3, exact(shown)[:, ::-1], exact(shown))

    shown = np.arange(8, dtype=np.uint8).reshape(8, 1, 1, 1)
    labels = np.arange(8) % 2
    batches = [(shown[:5], labels[:5]), (shown[5:], labels[5:])]
    found = export.compared(exact, served_one, batches, multi_label=False)
    assert (found.rows, found.exact, found.served, found.agreement) == (8, 1.0, 0.875, 0.875)
    assert found.lost == 12.5
    several = [(shown, np.eye(2)[labels])]
    assert export.compared(exact, served_one, several, multi_label=True).lost == 12.5


@pytest.mark.parametrize("precision", ["float32", "int8"])
@pytest.mark.parametrize(("layers", "shape"), [(20, GREY), (50, LARGE)])
def test_other_libraries_read_the_file(
    layers: int, shape: tuple[int, int, int], precision: str, tmp_path: Path
) -> None:
    onnx = pytest.importorskip("onnx", reason="the package onnx is not installed")
    made = served.network(layers, shape)
    file = served.exported(made, served.description(made, precision), tmp_path)
    model = onnx.load(str(file))
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "sagedock"
    sides = [side.dim_value or side.dim_param for side in model.graph.input[0].type.tensor_type.shape.dim]
    assert sides == ["n", *shape]
    folded = {node.op_type for node in model.graph.node} & {"BatchNormalization"}
    assert bool(folded) == LAYOUTS[layers].own  # only where it comes before a convolution


def test_a_file_that_is_not_the_network_is_refused(tmp_path: Path) -> None:
    made = served.network(20, SMALL)
    described = served.description(made)
    file = served.exported(made, described, tmp_path)
    whole = file.read_bytes()
    for bad, reason in [
        (b"", "has 0 bytes"),
        (whole[:-1], "and the network described"),
        (whole + b"\0", "and the network described"),
        (whole.replace(b"Relu", b"Tanh", 1), "from byte"),
        (whole.replace(b"raw", b"war", 1), "from byte"),
        (b"\x08\x09" + whole[2:], "from byte"),
    ]:
        file.write_bytes(bad)
        with pytest.raises(ModelError, match=reason):
            engine.opened(file, described)
    file.unlink()
    with pytest.raises(ModelError, match="is missing"):
        engine.opened(file, described)


def test_every_byte_but_the_numbers_is_compared(tmp_path: Path) -> None:
    made = served.network(20, SMALL)
    described = served.description(made)
    whole = bytearray(served.exported(made, described, tmp_path).read_bytes())
    built = graph.build(described.architecture)
    random, place, tried = np.random.default_rng(3), 0, 0
    for piece in onnx_file.pieces(built):
        size = onnx_file.size_of(piece)
        for offset in random.integers(size, size=2) if isinstance(piece, bytes) else ():
            whole[place + offset] ^= 1 << int(random.integers(8))
            (tmp_path / "bad.onnx").write_bytes(whole)
            with pytest.raises(ModelError):
                onnx_file.read(tmp_path / "bad.onnx", built)
            (tmp_path / "bad.onnx").unlink()
            whole = bytearray((tmp_path / "image-classification.onnx").read_bytes())
            tried += 1
        place += size
    assert tried > 100


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_numbers_that_are_none_are_refused(tmp_path: Path, number: float) -> None:
    made = served.network(20, SMALL)
    described = served.description(made)
    file = served.exported(made, described, tmp_path)
    whole, place = bytearray(file.read_bytes()), 0
    pieces = list(onnx_file.pieces(graph.build(described.architecture)))
    last = max(at for at, piece in enumerate(pieces) if not isinstance(piece, bytes))
    place = sum(map(onnx_file.size_of, pieces[: last + 1]))
    whole[place - 4 : place] = np.float32(number).tobytes()
    file.write_bytes(whole)
    with pytest.raises(ModelError, match="not finite"):
        engine.opened(file, described)


def test_numbers_without_sense_do_no_harm(tmp_path: Path) -> None:
    made = served.network(20, SMALL)
    described = served.description(made, "int8")
    file = served.exported(made, described, tmp_path)
    whole, place = bytearray(file.read_bytes()), 0
    random = np.random.default_rng(4)
    for piece in onnx_file.pieces(graph.build(described.architecture)):
        size = onnx_file.size_of(piece)
        if not isinstance(piece, bytes) and piece.kind == "float32":
            numbers = np.frombuffer(random.bytes(size), "<f4")
            whole[place : place + size] = np.where(np.isfinite(numbers), numbers, np.float32(1e38)).tobytes()
        place += size
    file.write_bytes(whole)
    found = engine.opened(file, described)(served.pictures(SMALL))
    assert found.shape == (4, 3)


def test_serving_imports_no_torch(tmp_path: Path) -> None:
    made = served.network(20, SMALL)
    described = served.description(made)
    file = served.exported(made, described, tmp_path)
    code = (
        "import sys, numpy; from pathlib import Path\n"
        "from sagedock.algorithms.image_classification import engine\n"
        "from sagedock.algorithms.image_classification.description import Description\n"
        "described = Description.read(Path(sys.argv[2]))\n"
        "run = engine.opened(Path(sys.argv[1]), described)\n"
        "run(numpy.zeros((1, *described.image_shape), numpy.uint8))\n"
        "print(sorted({'torch', 'torchvision', 'onnx', 'scipy', 'matplotlib', 'PIL'} & set(sys.modules)))"
    )
    (tmp_path / "symbol.json").write_text(described.text())
    command = [sys.executable, "-c", code, str(file), str(tmp_path / "symbol.json")]
    assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "[]\n"


def test_descriptions_come_back() -> None:
    whole = Description(20, (1, 28, 28), 2, 3, True, ("a", "b"), True, 32, 7, 0.5, "int8")
    assert Description.of(whole.text().encode()) == whole


def test_descriptions_come_back_at_the_limits_of_the_hyperparameters() -> None:
    """A job that may begin must not end with a model that is refused."""
    given = {"num_classes": "100000", "num_training_samples": "100", "image_shape": "1,4096,4096", "resize": "16384"}
    values = HYPERPARAMETERS.parse(given)
    asked = (values["num_layers"], values["image_shape"], values["num_classes"], 7)
    whole = Description(*asked, resize=values["resize"])
    assert Description.of(whole.text().encode()) == whole
