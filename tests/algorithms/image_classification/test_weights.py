"""Weights from outside: where they are looked for, what is taken over, and files that are none."""

from __future__ import annotations

import io
import json
import os
import pickle
import tarfile
import zipfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.image_classification import initialisation, networks, vision, weight_places, weights
from sagedock.algorithms.image_classification.networks import Network
from sagedock.contracts.channels import Channel
from sagedock.contracts.hyperparameters import Values
from sagedock.errors import UserError
from sagedock.formats import safetensors

SMALL = {"num_layers": 20, "num_classes": 3, "image_shape": (3, 28, 28)}
LARGE = {"num_layers": 18, "num_classes": 3, "image_shape": (3, 224, 224)}


def values(base: Mapping[str, Any] = SMALL, **more: Any) -> Values:
    return Values({**base, "use_pretrained_model": False, "_new_head": False, "_seed": 0, **more})


def network(layers: int = 20, classes: int = 3, shape: tuple[int, int, int] = (3, 28, 28), **more: Any) -> Network:
    return networks.build(layers, classes, shape, seed=7, **more)


def torchvision_file(file: Path, classes: int = 5, **more: Any) -> Mapping[str, torch.Tensor]:
    """A state dict of torchvision's resnet18, as torch.save leaves it."""
    torch.manual_seed(3)
    state = vision.torchvision().models.resnet18(num_classes=classes).state_dict()
    torch.save(state, file, **more)
    return dict(state)


def channel(folder: Path) -> dict[str, Channel]:
    return {"model": Channel("model", folder)}


def begun(asked: Values, folder: Path | None = None, environment: Mapping[str, str] | None = None) -> Network:
    channels = {} if folder is None else channel(folder)
    nowhere = Path(os.devnull) / "weights"
    return initialisation.network(asked, channels, environment or {}, nowhere)


def same(one: Network, other: Mapping[str, torch.Tensor], *, head: bool) -> bool:
    mine = one.tensors()
    return all(torch.equal(mine[name], other[name]) for name in mine if head or not networks.is_head(name))


def artefact(folder: Path, *numbers: int, served: int | None = None) -> dict[int, Network]:
    """The files of an earlier job."""
    folder.mkdir(exist_ok=True)
    made = {number: networks.build(20, 3, (3, 28, 28), seed=number) for number in numbers}
    for number, one in made.items():
        weights.write(folder / f"image-classification-{number:04d}.params", one, {"epoch": str(number)})
    if served is not None:
        (folder / "image-classification-symbol.json").write_text(json.dumps({"epoch": served}))
    return made


def packed(folder: Path) -> Path:
    """A folder with nothing but model.tar.gz, as SageMaker gives the channel."""
    place = folder.parent / "channel"
    place.mkdir()
    with tarfile.open(place / "model.tar.gz", "w:gz") as tar:
        for file in folder.iterdir():
            tar.add(file, file.name)
    return place


def test_a_job_without_weights_begins_with_random_ones() -> None:
    assert same(begun(values(_seed=4)), networks.build(20, 3, (3, 28, 28), seed=4).tensors(), head=True)


def test_an_earlier_model_learns_on_whole(tmp_path: Path) -> None:
    """image 49: the same answers as the seed's last epoch, so the first accuracy is no worse."""
    [earlier] = artefact(tmp_path / "earlier", 3).values()
    found = begun(values(), packed(tmp_path / "earlier"))
    assert same(found, earlier.tensors(), head=True)
    pictures = torch.randint(0, 256, (2, 3, 28, 28), generator=torch.Generator().manual_seed(0))
    assert torch.equal(found.eval()(pictures), earlier.eval()(pictures))


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"num_classes": 4}, ("num_classes is 4", "_new_head 1")),
        ({"image_shape": (3, 32, 32)}, ("image_shape is 3,32,32", "3,28,28", "_new_head 1")),
        ({"num_layers": 32}, ("num_layers is 32", "give num_layers 20")),
    ],
)
def test_incremental_training_refuses_another_network(tmp_path: Path, more: dict[str, Any], named: Any) -> None:
    """image 49: and says what lifts the rule."""
    artefact(tmp_path / "earlier", 1)
    with pytest.raises(UserError) as caught:
        begun(values(**more), tmp_path / "earlier")
    assert caught.value.field == next(iter(more))
    assert all(text in str(caught.value) for text in named)


def test_a_new_head_lifts_classes_and_shape_and_never_layers(tmp_path: Path) -> None:
    [earlier] = artefact(tmp_path / "earlier", 1).values()
    found = begun(values(_new_head=True, num_classes=9, image_shape=(3, 64, 48)), tmp_path / "earlier")
    assert found.head.weight.shape == (9, 64)
    assert found.image_shape == (3, 64, 48)
    assert same(found, earlier.tensors(), head=False)
    with pytest.raises(UserError, match="num_layers is 32"):
        begun(values(_new_head=True, num_layers=32), tmp_path / "earlier")


def test_a_large_network_keeps_the_stem_of_its_weights(tmp_path: Path) -> None:
    """Learnt on low pictures, it goes on with high ones; then it learns on as it is."""
    earlier = network(18, 3, (3, 32, 32))
    weights.write(tmp_path / "image-classification-0001.params", earlier, {})
    found = begun(values(LARGE, _new_head=True), tmp_path)
    assert found.stem == earlier.stem == networks.layouts.NARROW_STEM
    weights.write(tmp_path / "image-classification-0001.params", found, {})
    assert begun(values(LARGE), tmp_path).stem == earlier.stem


@pytest.mark.parametrize(("served", "expected"), [(2, 2), (None, 5), (9, 5), ("2", 5)])
def test_of_several_epochs_the_one_that_was_served_is_taken(tmp_path: Path, served: Any, expected: int) -> None:
    made = artefact(tmp_path / "earlier", 2, 5, served=served)
    assert same(begun(values(), tmp_path / "earlier"), made[expected].tensors(), head=True)


def test_the_channel_wins_over_pretrained_weights(tmp_path: Path) -> None:
    """image 50"""
    inside, beside = tmp_path / "channel", tmp_path / "beside"
    inside.mkdir(), beside.mkdir()
    state = torchvision_file(inside / "mine.pth")
    torchvision_file(beside / "resnet18-abc.pth")
    asked = values(LARGE, use_pretrained_model=True)
    assert same(begun(asked, inside, {"SAGEDOCK_WEIGHTS_DIR": str(beside)}), state, head=False)


@pytest.mark.parametrize("legacy", [False, True])
def test_a_state_dict_of_torchvision_gives_all_but_the_head(tmp_path: Path, legacy: bool) -> None:
    """Both formats that torch.save has had; counters of batches are left out, which older files do not have."""
    state = torchvision_file(tmp_path / "resnet18.pth", _use_new_zipfile_serialization=not legacy)
    found = begun(values(LARGE), tmp_path)
    assert same(found, state, head=False)
    assert found.head.weight.shape == (3, 512)


@pytest.mark.parametrize("wrapped", ["module.", "state_dict"])
def test_state_dicts_as_training_scripts_leave_them_are_read(tmp_path: Path, wrapped: str) -> None:
    state = vision.torchvision().models.resnet18().state_dict()
    parallel = {f"module.{name}": tensor for name, tensor in state.items()}
    torch.save({"state_dict": parallel, "epoch": 3} if wrapped == "state_dict" else parallel, tmp_path / "a.pt")
    assert same(begun(values(LARGE), tmp_path), state, head=False)


def test_safetensors_of_others_give_all_but_the_head(tmp_path: Path) -> None:
    other = network(18, 1000, (3, 224, 224))
    arrays = {name: tensor.numpy() for name, tensor in other.tensors().items()}
    safetensors.write(tmp_path / "model.safetensors", arrays, {"format": "pt"})
    assert same(begun(values(LARGE), tmp_path), other.tensors(), head=False)


def test_pretrained_weights_come_from_the_folder_that_is_named_and_then_from_the_image(tmp_path: Path) -> None:
    named, image = tmp_path / "named", tmp_path / "image"
    named.mkdir(), image.mkdir()
    asked = values(LARGE, use_pretrained_model=True)
    in_image = torchvision_file(image / "resnet18-f37072fd.pth")
    (image / "resnet180.pth").write_bytes(b"of another network")
    where = {"SAGEDOCK_WEIGHTS_DIR": str(named)}
    assert same(initialisation.network(asked, {}, where, image), in_image, head=False)
    other = network(18, 7, (3, 224, 224))
    weights.write(named / "resnet18.params", other, {})
    assert same(initialisation.network(asked, {}, where, image), other.tensors(), head=False)
    (named / "resnet18.pth").write_bytes(b"a second one")
    with pytest.raises(UserError, match="several networks of 18 layers"):
        initialisation.network(asked, {}, where, image)


def test_pretrained_weights_that_are_nowhere_end_the_job_at_once_with_the_three_ways() -> None:
    """Issue 8 item 2; section 12, 5."""
    with pytest.raises(UserError) as caught:
        begun(values(LARGE, use_pretrained_model=True))
    text = str(caught.value)
    assert caught.value.field == "use_pretrained_model"
    assert all(way in text for way in ("channel model", "SAGEDOCK_WEIGHTS_DIR", "build argument", "resnet18"))


def test_a_folder_that_is_none_is_named() -> None:
    with pytest.raises(UserError, match="SAGEDOCK_WEIGHTS_DIR is '/nowhere/at/all'"):
        begun(values(LARGE, use_pretrained_model=True), None, {"SAGEDOCK_WEIGHTS_DIR": "/nowhere/at/all"})


def changed(change: Callable[[dict[str, torch.Tensor]], None], file: Path) -> None:
    """Save tensors of the right shapes after a change; a number that is repeated takes no room in the file."""
    with torch.device("meta"):
        theirs = vision.torchvision().models.resnet18().state_dict()
    state = {name: torch.ones(()).expand(tensor.shape) for name, tensor in theirs.items()}
    change(state)
    torch.save(state, file)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda state: state.pop("layer2.1.bn2.bias"), ("layer2.1.bn2.bias", "missing")),
        (lambda state: state.update(extra=torch.ones(1)), ("extra", "not in a network of 18 layers")),
        (lambda state: state.update({"bn1.bias": torch.ones(65)}), ("bn1.bias", "is 65,", "64")),
        (lambda state: state.update({"bn1.bias": torch.ones(1).expand(1 << 40)}), ("bn1.bias", "is 1099511627776,")),
        (
            lambda state: state.update({"layer1.0.conv1.weight": torch.full((64, 64, 3, 3), float("nan"))}),
            ("layer1.0.conv1.weight", "not finite"),
        ),
        (lambda state: state.update({"bn1.running_var": torch.full((64,), -1.0)}), ("bn1.running_var", "below 0")),
        (lambda state: state.update({"bn1.bias": torch.ones(64, dtype=torch.int32)}), ("bn1.bias", "int32")),
        (lambda state: state.update({"conv1.weight": torch.ones(64, 3, 5, 5)}), ("5 x 5",)),
        (lambda state: state.pop("conv1.weight"), ("conv1.weight",)),
    ],
)
def test_a_tensor_that_does_not_fit_is_named(tmp_path: Path, change: Any, named: tuple[str, ...]) -> None:
    changed(change, tmp_path / "a.pth")
    with pytest.raises(UserError) as caught:
        begun(values(LARGE), tmp_path)
    assert all(text in str(caught.value) for text in (*named, "a.pth")), caught.value


class Running:
    """What runs a command where it is unpickled as pickle means it."""

    def __init__(self, trace: Path) -> None:
        self._trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (os.mkdir, (str(self._trace),))


def test_a_pickle_that_runs_code_runs_none(tmp_path: Path) -> None:
    trace = tmp_path / "ran"
    for name, save in (("a.pth", torch.save), ("b.pth", lambda given, file: file.write_bytes(pickle.dumps(given)))):
        file = tmp_path / name
        save({"conv1.weight": Running(trace)}, file)
        with pytest.raises(UserError, match="no weights that can be read"):
            weights.read(file)
    assert not trace.exists()


def test_an_archive_that_unpacks_to_more_than_it_is_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "a.pth"
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a/data.pkl", bytes(100 << 20))
    with pytest.raises(UserError, match="unpack to 104857600 bytes"):
        weights.read(file)


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.params", (0x112).to_bytes(8, "little") + bytes(50), "MXNet"),
        ("a.params", b"", "too few for a header"),
        ("a.safetensors", b"\xff" * 64, "header claims"),
        ("a.pth", b"", "no weights"),
        ("a.pth", b"PK\x03\x04" + bytes(40), "no weights"),
        ("a.pt", pickle.dumps([1, 2]), "no weights"),
    ],
)
def test_files_that_hold_no_weights_are_refused(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=why):
        weights.read(tmp_path / name)


def test_other_things_that_torch_saves_are_refused(tmp_path: Path) -> None:
    for thing in (torch.ones(3), {}, {"a": 1}, {"a": torch.ones(1), 2: torch.ones(1)}, [torch.ones(1)]):
        torch.save(thing, tmp_path / "a.pth")
        with pytest.raises(UserError, match="holds no weights"):
            weights.read(tmp_path / "a.pth")


def test_params_of_another_format_are_refused(tmp_path: Path) -> None:
    safetensors.write(tmp_path / "a.params", {"a": np.ones(1, np.float32)}, {"format": "ntm", "version": "1"})
    with pytest.raises(UserError, match="its format is 'ntm'"):
        weights.read(tmp_path / "a.params")


def test_a_channel_holds_one_file_of_weights(tmp_path: Path) -> None:
    (tmp_path / "readme.txt").write_text("nothing else")
    with pytest.raises(UserError, match=r"holds readme\.txt"):
        begun(values(), tmp_path)
    for name in ("a.pth", "b.safetensors"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(UserError, match=r"a\.pth, b\.safetensors"):
        begun(values(), tmp_path)


def test_an_archive_that_leaves_its_folder_is_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "model.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("../outside.params")
        member.size = 4
        tar.addfile(member, io.BytesIO(b"abcd"))
    with pytest.raises(UserError, match=r"leaves the directory by \.\."):
        begun(values(), tmp_path)


@pytest.fixture(scope="module")
def state_dict(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A whole file of a few tensors."""
    file = tmp_path_factory.mktemp("fuzz") / "a.pth"
    torch.save({"conv1.weight": torch.ones(2, 3, 3, 3), "bn1.bias": torch.arange(2.0)}, file)
    return file.read_bytes()


@settings(max_examples=100)
@given(data=st.data())
def test_a_damaged_state_dict_is_read_or_refused_and_nothing_else(
    data: st.DataObject, state_dict: bytes, tmp_path_factory: pytest.TempPathFactory
) -> None:
    file = tmp_path_factory.mktemp("damaged") / "a.pth"
    content = bytearray(state_dict)
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    del content[data.draw(st.integers(0, len(content))) if data.draw(st.booleans()) else len(content) :]
    file.write_bytes(bytes(content))
    with suppress(UserError):
        found = weights.read(file)
        assert all(isinstance(tensor, torch.Tensor) for tensor in found.tensors.values())


def test_the_ways_are_looked_for_in_names_that_the_image_has() -> None:
    assert Path("/opt/sagedock/weights") == weight_places.IMAGE_FOLDER
