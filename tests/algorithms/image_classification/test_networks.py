"""The networks: which there are, how large, and torchvision's answers with torchvision's weights."""

from __future__ import annotations

import re

import pytest

pytest.importorskip("torch", reason="torch is not installed")

import torch

from sagedock.algorithms.image_classification import networks, vision
from sagedock.algorithms.image_classification.layouts import LAYOUTS, NARROW_STEM, WIDE_STEM

torch.set_num_threads(1)
SMALL = {20: 3, 32: 5, 44: 7, 56: 9, 110: 18}
BY_TORCHVISION = (18, 34, 50, 101, 152)
MEAN = torch.tensor((0.485, 0.456, 0.406)).view(1, 3, 1, 1)
DEVIATION = torch.tensor((0.229, 0.224, 0.225)).view(1, 3, 1, 1)


def pictures(*shape: int) -> torch.Tensor:
    return torch.randint(0, 256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(1))


def blocks(network: networks.Network) -> list[int]:
    names = network.backbone.state_dict()
    found = {match.groups() for name in names if (match := re.match(r"layer(\d)\.(\d+)\.", name))}
    return [sum(stage == str(number) for stage, _ in found) for number in range(1, 5)]


@pytest.mark.parametrize("layers", SMALL)
def test_small_networks_have_three_stages_of_equal_blocks(layers: int) -> None:
    """image 53"""
    network = networks.build(layers, 10, (3, 28, 28))
    assert blocks(network) == [SMALL[layers]] * 3 + [0]
    assert network.eval()(pictures(2, 3, 28, 28)).shape == (2, 10)


@pytest.mark.parametrize(
    ("layers", "stages"),
    [
        (18, [2, 2, 2, 2]),
        (34, [3, 4, 6, 3]),
        (50, [3, 4, 6, 3]),
        (101, [3, 4, 23, 3]),
        (152, [3, 8, 36, 3]),
        (200, [3, 24, 36, 3]),
    ],
)
def test_large_networks_have_four_stages(layers: int, stages: list[int]) -> None:
    """image 53"""
    network = networks.build(layers, 7, (3, 224, 224)).eval()
    assert blocks(network) == stages
    assert network.stem == WIDE_STEM
    with torch.inference_mode():
        assert network(pictures(1, 3, 64, 64)).shape == (1, 7)


@pytest.mark.parametrize("layers", LAYOUTS)
def test_the_last_layer_has_so_many_weights_for_each_class(layers: int) -> None:
    """image 54: 64 in small networks, 512 in those of 18 and 34 layers, 2048 in deeper ones, and a bias."""
    width = 64 if layers in SMALL else 512 if layers in {18, 34} else 2048
    network = networks.build(layers, 11, (3, 32, 32))
    assert sum(each.numel() for each in network.head.parameters()) == width * 11 + 11
    assert LAYOUTS[layers].features == width


@pytest.mark.parametrize("layers", [18, 50])
def test_it_says_what_torchvision_says_of_the_standardised_picture(layers: int) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)  # whatever was drawn before: of some weights an answer is so near 0 that rounding shows
        theirs = getattr(vision.torchvision().models, f"resnet{layers}")(num_classes=5).eval()
    ours = networks.build(layers, 5, (3, 224, 224)).eval()
    ours.put(theirs.state_dict())
    raw = pictures(2, 3, 96, 80)
    with torch.inference_mode():
        expected = theirs((raw / 255 - MEAN) / DEVIATION)
        torch.testing.assert_close(ours(raw), expected, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(ours(raw.float()), ours(raw))


@pytest.mark.parametrize("layers", BY_TORCHVISION)
def test_torchvision_loads_its_tensors(layers: int) -> None:
    """Requirement 56: a model leaves this house without tools of ours."""
    with torch.device("meta"):
        theirs = getattr(vision.torchvision().models, f"resnet{layers}")(num_classes=3)
    told = theirs.load_state_dict(networks.build(layers, 3, (3, 64, 64)).tensors(), strict=False, assign=True)
    assert not told.unexpected_keys
    assert all(name.endswith("num_batches_tracked") for name in told.missing_keys)


@pytest.mark.parametrize("layers", [18, 20, 200])
def test_low_pictures_get_a_stem_without_pooling(layers: int) -> None:
    assert networks.build(layers, 2, (3, 32, 64)).stem == NARROW_STEM
    assert networks.build(layers, 2, (3, 33, 33)).stem == (NARROW_STEM if layers == 20 else WIDE_STEM)
    assert networks.build(layers, 2, (3, 64, 64), stem=NARROW_STEM).tensors()["conv1.weight"].shape[2:] == (3, 3)


@pytest.mark.parametrize("layers", [18, 20])
@pytest.mark.parametrize("height", [32, 48])
def test_grey_pictures_have_one_channel(layers: int, height: int) -> None:
    network = networks.build(layers, 4, (1, height, height)).eval()
    assert network(pictures(2, 1, height, height)).shape == (2, 4)


def test_weights_begin_by_their_fan_in_and_the_seed_alone() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, again, other = (networks.build(18, 4, (3, 64, 64), seed=seed).tensors() for seed in (3, 3, 4))
    assert torch.equal(torch.get_rng_state(), before)
    assert all(torch.equal(tensor, again[name]) for name, tensor in first.items())
    assert not torch.equal(first["conv1.weight"], other["conv1.weight"])
    deep = first["layer4.1.conv2.weight"]
    assert deep.std().item() == pytest.approx((2 / (512 * 9)) ** 0.5, rel=0.01)
    assert deep.mean().item() == pytest.approx(0, abs=1e-4)
    assert first["fc.weight"].std().item() == pytest.approx((2 / 512) ** 0.5, rel=0.1)
    assert not first["fc.bias"].any()
    assert (first["bn1.running_var"] == 1).all()


def test_tensors_of_another_network_are_refused_by_name() -> None:
    network, other = networks.build(20, 4, (3, 28, 28)), networks.build(20, 5, (3, 28, 28), seed=1)
    with pytest.raises(ValueError, match=r"fc.weight is \(5, 64\), not \(4, 64\)"):
        network.put(other.tensors())
    network.put(other.tensors(), head=False)
    assert torch.equal(network.tensors()["conv1.weight"], other.tensors()["conv1.weight"])
    assert network.tensors()["fc.weight"].shape == (4, 64)
    with pytest.raises(KeyError, match="layer1"):
        networks.build(32, 4, (3, 28, 28)).put(other.tensors(), head=False)


@pytest.mark.parametrize(("layers", "shape"), [(19, (3, 28, 28)), (18, (2, 28, 28)), (18, (4, 28, 28))])
def test_there_is_no_other_network(layers: int, shape: tuple[int, int, int]) -> None:
    with pytest.raises(ValueError, match="no network"):
        networks.build(layers, 2, shape)
