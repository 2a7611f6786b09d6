"""Requests and answers: bytes of a picture in, numbers of the classes out, as over HTTP but for the sockets."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="torch is not installed")
pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
pytest.importorskip("PIL", reason="Pillow is not installed")

from PIL import Image

from sagedock.algorithm import Algorithm
from sagedock.algorithms.image_classification import combining, requests
from sagedock.algorithms.image_classification.combining import Combined
from sagedock.algorithms.image_classification.description import NETWORK, SYMBOL, Description
from sagedock.algorithms.image_classification.model import ImageModel, load
from sagedock.contracts.hosting import HostingSettings, InferenceOptions
from sagedock.contracts.hyperparameters import Declaration
from sagedock.errors import ModelError, PayloadTooLarge, UnsupportedMediaType, UserError
from sagedock.formats.media_types import JSON, JSON_LINES
from sagedock.serving.answer import Answer
from sagedock.serving.invocations import invoke
from tests.algorithms.image_classification import served

SHAPE = (3, 24, 20)
ALGORITHM = Algorithm(
    name="image-classification",
    package="sagedock.algorithms.image_classification",
    summary="",
    hyperparameters=Declaration(()),
    channels=(),
    metrics=(),
    request_types=requests.REQUEST_TYPES,
    response_types=(JSON, JSON_LINES),
    default_request_type=requests.IMAGE,
    default_response_type=JSON,
    batch_response_type=JSON_LINES,
    refuses_empty_bodies=True,
)
Directory = Callable[..., Path]


@pytest.fixture(scope="module")
def network() -> object:
    return served.network(20, SHAPE)


@pytest.fixture(scope="module")
def directory(network, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("model")
    described = served.description(network)
    served.exported(network, described, place)
    (place / SYMBOL).write_text(described.text())
    return place


@pytest.fixture(scope="module")
def model(directory: Path) -> ImageModel:
    return load(directory, None, InferenceOptions())


def with_environment(directory: Path, **environment: str) -> ImageModel:
    return load(directory, None, InferenceOptions(environment=environment))


def encoded(kind: str = "PNG", size: tuple[int, int] = (40, 30), mode: str = "RGB", seed: int = 0, **options) -> bytes:
    """A picture with areas of its own brightness, so that resizing keeps what there is to see."""
    tiles = np.random.default_rng(seed).integers(0, 256, (4, 5, 3), dtype=np.uint8)
    image = Image.fromarray(tiles).resize(size, Image.Resampling.BILINEAR).convert(mode)
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def ask(model: ImageModel, body: bytes, content_type: str | None = "image/png", accept: str | None = None) -> Answer:
    return invoke(model, ALGORITHM, body, content_type, accept)


def test_an_answer_is_a_bare_array(model: ImageModel) -> None:
    """image 39"""
    answer = ask(model, encoded())
    assert (answer.status, answer.content_type) == (200, "application/json")
    values = json.loads(answer.body)
    assert len(values) == 3
    assert sum(values) == pytest.approx(1, abs=1e-5)


def test_json_lines_hold_the_prediction(model: ImageModel) -> None:
    """image 40"""
    answer = ask(model, encoded(), accept="application/jsonlines")
    assert answer.content_type == "application/jsonlines"
    assert answer.body.count(b"\n") == 1
    assert answer.body.endswith(b"\n")
    assert json.loads(answer.body) == {"prediction": json.loads(ask(model, encoded()).body)}


def test_other_types_are_415_and_other_answers_406(model: ImageModel) -> None:
    """image 42"""
    with pytest.raises(UnsupportedMediaType, match="application/x-image, image/jpeg, image/png"):
        ask(model, b"1,2", "text/csv")
    with pytest.raises(UserError, match="accept one of application/json, application/jsonlines"):
        ask(model, encoded(), accept="text/csv")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no bytes at all"),
        (np.random.default_rng(0).bytes(500), "no picture"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "damaged|no picture"),
        (encoded("JPEG", (400, 300))[:600], "damaged|cut"),
        (encoded()[:200], "damaged"),
        (encoded("TIFF"), "a TIFF file"),
    ],
)
def test_what_is_no_picture_is_400_and_the_next_is_answered(model: ImageModel, body: bytes, reason: str) -> None:
    """image 42"""
    with pytest.raises(UserError, match=f"the request's body.*({reason})") as caught:
        ask(model, body)
    assert not isinstance(caught.value, UnsupportedMediaType | PayloadTooLarge)
    assert ask(model, encoded()).status == 200


def test_a_bomb_is_refused_by_its_head(model: ImageModel) -> None:
    body = bytearray(encoded())
    body[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(UserError, match="60000 x 60000 pixels, and at most"):
        ask(model, bytes(body))


def test_a_picture_and_the_same_one_squashed_get_equal_answers(model: ImageModel) -> None:
    """image 43"""
    wide = encoded(size=(300, 100))
    small = requests.decode(wide, _type(), model.description, model.settings).pixels[0]
    stream = BytesIO()
    Image.fromarray(small.transpose(1, 2, 0)).save(stream, "PNG")
    np.testing.assert_allclose(
        json.loads(ask(model, wide).body), json.loads(ask(model, stream.getvalue()).body), atol=1e-3
    )


@pytest.mark.parametrize("content_type", [*requests.REQUEST_TYPES, None])
def test_the_bytes_decide_the_decoder(model: ImageModel, content_type: str | None) -> None:
    """image 44"""
    assert ask(model, encoded("PNG"), content_type).body == ask(model, encoded("PNG")).body
    assert ask(model, encoded("JPEG"), content_type).status == 200


@pytest.mark.parametrize(
    ("kind", "mode"), [("PNG", "L"), ("PNG", "RGBA"), ("JPEG", "CMYK"), ("PNG", "P"), ("GIF", "P")]
)
def test_pictures_of_any_mode_are_taken(model: ImageModel, kind: str, mode: str) -> None:
    """image 45"""
    assert len(json.loads(ask(model, encoded(kind, mode=mode)).body)) == 3


def test_answers_are_torchs_for_the_same_pixels(model: ImageModel, network) -> None:
    body = encoded("JPEG", (64, 48))
    pixels = requests.decode(body, _type(), model.description, model.settings).pixels
    np.testing.assert_allclose(json.loads(ask(model, body).body), served.expected(network, pixels)[0], atol=1e-4)


def test_names_come_by_choice(directory: Path, tmp_path: Path, network) -> None:
    model = with_environment(directory, SAGEDOCK_CLASS_NAMES="true")
    found = json.loads(ask(model, encoded()).body)
    assert found["class_names"] == ["0", "1", "2"]
    assert json.loads(ask(model, encoded(), accept=JSON_LINES).body) == found
    named = Description(20, SHAPE, 3, 3, class_names=("ant", "bee", "cat"), answers_names=True)
    (tmp_path / SYMBOL).write_text(named.text())
    (tmp_path / NETWORK).write_bytes((directory / NETWORK).read_bytes())
    model = load(tmp_path, None, InferenceOptions())
    assert json.loads(ask(model, encoded()).body) == {**found, "class_names": ["ant", "bee", "cat"]}
    bare = json.loads(ask(with_environment(tmp_path, SAGEDOCK_CLASS_NAMES="off"), encoded()).body)
    assert bare == found["prediction"]


def test_the_middle_is_taken_by_choice(directory: Path, model: ImageModel) -> None:
    cropping = with_environment(directory, SAGEDOCK_IMAGE_CROP="true")
    wide = encoded(size=(72, 24), seed=3)
    image = Image.open(BytesIO(wide)).crop((26, 0, 46, 24))
    stream = BytesIO()
    image.save(stream, "PNG")
    middle = json.loads(ask(model, stream.getvalue()).body)
    np.testing.assert_allclose(json.loads(ask(cropping, wide).body), middle, atol=1e-6)
    assert np.abs(np.array(json.loads(ask(model, wide).body)) - middle).max() > 1e-3


@pytest.mark.parametrize("name", [requests.CROP_VARIABLE, requests.NAMES_VARIABLE])
def test_a_variable_without_sense_is_named(directory: Path, name: str) -> None:
    with pytest.raises(ModelError, match=f"{name} is 'maybe', neither true nor false"):
        with_environment(directory, **{name: "maybe"})


def test_it_warms_up_by_a_picture_and_saves_what_it_was_loaded_from(model: ImageModel, tmp_path: Path) -> None:
    body, content_type = model.example()
    assert ask(model, body, content_type).status == 200
    for name in model.save(tmp_path):
        assert (tmp_path / name).read_bytes() == (model.directory / name).read_bytes()
    assert load(tmp_path, None, InferenceOptions()).describe() == model.describe()
    assert model.save(model.directory) == [SYMBOL, NETWORK]


def test_many_at_once_get_their_own_answers(model: ImageModel) -> None:
    bodies = [encoded(seed=seed) for seed in range(24)]
    alone = [json.loads(ask(model, body).body) for body in bodies]
    with ThreadPoolExecutor(8) as threads:
        together = [json.loads(answer.body) for answer in threads.map(lambda body: ask(model, body), bodies)]
    np.testing.assert_allclose(together, alone, atol=1e-6)
    assert np.ptp(alone, axis=0).max() > 0.01


def test_those_who_wait_are_computed_as_one_batch() -> None:
    sizes: list[int] = []
    begun, go_on = threading.Event(), threading.Event()

    def run(pictures: np.ndarray) -> np.ndarray:
        sizes.append(len(pictures))
        if len(sizes) == 1:
            begun.set()
            go_on.wait(300)
        return pictures.reshape(len(pictures), -1)[:, :1].astype(np.float32)

    combined = Combined(run)
    with ThreadPoolExecutor(32) as pool:
        first = pool.submit(combined, np.full((1, 1, 1, 1), 99, np.uint8))
        begun.wait(300)
        others = [pool.submit(combined, np.full((1, 1, 1, 1), number, np.uint8)) for number in range(20)]
        while combined.waiting < 20:
            threading.Event().wait(0.001)  # until all of them wait for the one that computes
        go_on.set()
        assert [future.result()[0, 0] for future in (first, *others)] == [99, *range(20)]
    assert sizes == [1, combining.MOST_PICTURES, 20 - combining.MOST_PICTURES]


def test_an_engine_that_fails_fails_for_each_and_goes_on() -> None:
    def run(pictures: np.ndarray) -> np.ndarray:
        if pictures.max() == 7:
            raise ModelError("seven")
        return pictures.reshape(len(pictures), -1)[:, :1].astype(np.float32)

    combined = Combined(run)
    with pytest.raises(ModelError):
        combined(np.full((1, 1, 1, 1), 7, np.uint8))
    assert combined(np.full((1, 1, 1, 1), 8, np.uint8))[0, 0] == 8
    assert combined.waiting == 0


def test_batch_transform_gets_objects(tmp_path: Path, directory: Path) -> None:
    """image 41: what an Accept that leaves it open means there, as the settings of a server find it."""
    found = HostingSettings.from_environment({"SAGEMAKER_BATCH": "true", "SAGEMAKER_BASE_DIR": str(tmp_path)})
    assert found.batch == "true"
    model = load(directory, None, found.options)
    default = ALGORITHM.batch_response_type
    for accept, kind in [(None, dict), ("*/*", dict), ("application/jsonlines", dict), ("application/json", list)]:
        answer = invoke(model, ALGORITHM, encoded(), "image/png", accept, default_accept=default)
        assert isinstance(json.loads(answer.body), kind), accept


_DESCRIBED = json.loads(Description(20, SHAPE, 3, 3, class_names=("a", "b", "c"), accuracy=0.5).text())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"format": "mxnet"}, "its format is not"),
        ({"version": 2}, "its format is not"),
        ({"num_layers": 19}, "num_layers 19 is not one of"),
        ({"num_layers": True}, "num_layers"),
        ({"num_classes": 10**9}, "num_classes '1000000000'"),
        ({"image_shape": [3, 24]}, "image_shape"),
        ({"image_shape": [2, 24, 24]}, "image_shape"),
        ({"image_shape": [3, 10**6, 10**6]}, "image_shape"),
        ({"stem": 5}, "stem 5"),
        ({"multi_label": 1}, "multi_label"),
        ({"class_names": ["a"]}, "class_names are not 3 texts"),
        ({"class_names": ["a", "b", 3]}, "class_names"),
        ({"class_names": ["a", "b", "\ud800"]}, "class_names"),
        ({"accuracy": 2}, "accuracy"),
        ({"precision": "int4"}, "precision 'int4'"),
        ({"resize": -1}, "resize"),
    ],
)
def test_a_description_is_looked_at(tmp_path: Path, change: dict[str, object], reason: str) -> None:
    (tmp_path / SYMBOL).write_text(json.dumps({**_DESCRIBED, **change}))
    with pytest.raises(ModelError, match=reason):
        Description.read(tmp_path / SYMBOL)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=True) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from(sorted(_DESCRIBED)), _JSON, max_size=3))
@settings(max_examples=50)
def test_any_description_is_taken_whole_or_refused(change: dict[str, object]) -> None:
    try:
        found = Description.of(json.dumps({**_DESCRIBED, **change}).encode())
    except ValueError:
        return
    assert Description.of(found.text().encode()) == found


@given(st.binary(max_size=60))
@settings(max_examples=50)
def test_any_bytes_are_no_description(content: bytes) -> None:
    with pytest.raises(ValueError, match=r"."):
        Description.of(content)


def _type():
    from sagedock.formats.media_types import MediaType

    return MediaType("image/png")
