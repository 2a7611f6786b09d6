"""The network: equal to GluonTS's where both have the same parts, and right in what only ours has."""

import json
import re
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from sagedock import core
from sagedock.algorithms.deepar.network import Batch, Network, Scaled, batch_of, chosen, domain, surprise
from sagedock.algorithms.deepar.parameters import DEVIATION, LOCATED, PARAMETERS, Architecture, Parameters
from sagedock.algorithms.deepar.recurrence import Kept, Recurrence
from sagedock.algorithms.image_classification import vision
from sagedock.errors import ModelError
from tests.without_core import without_core

CONTEXT, HORIZON, LAGS, ROWS = 9, 5, (1, 2, 7, 12), 6


def architecture(likelihood: str = "student-t", **changes: object) -> Architecture:
    plain = Architecture("W", CONTEXT, HORIZON, likelihood, 8, 2, LAGS, (3, 2), 4, 1, 2, default_scale=2.5)
    return replace(plain, **changes)


def window(built: Architecture, seed: int = 0) -> Batch:
    """Counts, of which a tenth was not observed; nothing was in the context of the last row."""
    random = np.random.default_rng(seed)
    steps = built.context_length + built.prediction_length
    shape = (ROWS, max(built.lags) + steps)
    observed = random.random(shape) < 0.9
    observed[-1, max(built.lags) : -built.prediction_length] = False
    values = random.poisson(6, shape) * observed
    cat = np.stack([random.integers(0, size, ROWS) for size in built.cardinality], 1)
    return batch_of(values, observed, random.normal(0, 0.4, (steps, ROWS, built.covariates)), cat)


@pytest.fixture(scope="module")
def gluonts() -> SimpleNamespace:
    """What is compared with, imported once: it takes seconds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        vision.torchvision()  # which it imports where it is installed
        from gluonts.torch.distributions import BetaOutput, NormalOutput, StudentTOutput
        from gluonts.torch.model.deepar.module import DeepARModel
    outputs = {"student-t": StudentTOutput(), "gaussian": NormalOutput(), "beta": BetaOutput()}
    return SimpleNamespace(model=DeepARModel, outputs=outputs)


ORDER = {"student-t": ("nu", "mu", "sigma"), "gaussian": ("mu", "sigma"), "beta": ("alpha", "beta")}
"""The parameters in GluonTS's order."""


def theirs(gluonts: SimpleNamespace, network: Network) -> torch.nn.Module:
    """GluonTS's model with the weights of ours."""
    built = network.architecture
    model = gluonts.model(
        freq="H",
        context_length=built.context_length + 1,  # its first step of the context is not forecast
        prediction_length=built.prediction_length,
        num_feat_dynamic_real=built.covariates,
        num_feat_static_real=1,
        num_feat_static_cat=len(built.cardinality),
        cardinality=list(built.cardinality),
        embedding_dimension=[built.embedding_dimension] * len(built.cardinality),
        num_layers=built.layers,
        hidden_size=built.cells,
        dropout_rate=0.0,
        distr_output=gluonts.outputs[built.likelihood],
        lags_seq=list(built.lags),
        scaling=built.scales,
        default_scale=built.default_scale,
    )
    arrays = {name: tensor.detach() for name, tensor in network.tensors.items()}
    weights = model.state_dict()
    for place in range(len(built.cardinality)):
        weights[f"embedder._embedders.{place}.weight"] = arrays[f"embedding.{place}"]
    for layer in range(built.layers):
        inputs = arrays[f"layer.{layer}.input"]
        if layer == 0:  # a static real number, of which ours has none, stands before the log scale there
            log_scale = len(built.lags) + len(built.cardinality) * built.embedding_dimension
            inputs = torch.cat([inputs[:, :log_scale], torch.zeros(4 * built.cells, 1), inputs[:, log_scale:]], 1)
        weights[f"rnn.weight_ih_l{layer}"], weights[f"rnn.weight_hh_l{layer}"] = inputs, arrays[f"layer.{layer}.hidden"]
        weights[f"rnn.bias_ih_l{layer}"] = arrays[f"layer.{layer}.bias"]
        weights[f"rnn.bias_hh_l{layer}"] = torch.zeros(4 * built.cells)
    ours = PARAMETERS[built.likelihood]
    for place, name in enumerate(ORDER[built.likelihood]):
        row = ours.index(name)
        weights[f"param_proj.proj.{place}.weight"] = arrays["output.weight"][row : row + 1]
        weights[f"param_proj.proj.{place}.bias"] = arrays["output.bias"][row : row + 1]
    model.load_state_dict(weights)
    return model


# GluonTS 0.17 (torch/util.py) indexes by a list, which torch takes for the tuple that is meant, with a warning
@pytest.mark.filterwarnings("ignore:Using a non-tuple sequence for multidimensional indexing:UserWarning")
@pytest.mark.parametrize("likelihood", sorted(ORDER))
def test_with_the_same_weights_it_says_what_gluonts_says(gluonts: SimpleNamespace, likelihood: str) -> None:
    """Parameters of the distributions and the loss, and so the slopes of the weights."""
    built = architecture(likelihood, residual=False)
    network, batch = Network.new(built, 3), window(built)
    if likelihood == "beta":
        batch = replace(batch, values=batch.values / 40 + 0.01 * batch.observed)
    model = theirs(gluonts, network)
    # theirs has no values before the first step's longest lag, and one more in the context, which scales it
    behind = CONTEXT + HORIZON
    past, seen = batch.values[:, :-HORIZON], batch.observed[:, :-HORIZON].clone()
    seen[:, -CONTEXT - 1] = 0
    time = batch.covariates.transpose(0, 1)
    padding = torch.zeros(ROWS, past.shape[1] - CONTEXT, built.covariates)
    inputs = {
        "feat_static_cat": batch.cat,
        "feat_static_real": torch.zeros(ROWS, 1),
        "past_time_feat": torch.cat([padding, time[:, :CONTEXT]], 1),
        "past_target": past,
        "past_observed_values": seen,
        "future_time_feat": time[:, CONTEXT:],
    }
    params, scale, *_ = model.unroll_lagged_rnn(**inputs, future_target=batch.values[:, -HORIZON:])
    told, scaled = network.forward(batch)
    assert told.shape == (behind, ROWS, len(PARAMETERS[likelihood]))
    np.testing.assert_allclose(scaled.scale.detach(), scale[:, 0].detach(), rtol=1e-6)
    found = dict(zip(PARAMETERS[likelihood], domain(likelihood, told), strict=True))
    for name, expected in zip(ORDER[likelihood], params, strict=True):
        np.testing.assert_allclose(found[name].detach().t(), expected.detach(), rtol=1e-5, atol=1e-5, err_msg=name)
    distribution = model.output_distribution(params, scale=scale if built.scales else None)
    target = batch.values[:, -behind:]
    mine = surprise(likelihood, told, target.t(), scaled).t()
    observed = batch.observed[:, -behind:] > 0
    wanted = -distribution.log_prob(target.clamp(1e-6, 1 - 1e-6) if likelihood == "beta" else target)
    np.testing.assert_allclose(mine[observed].detach(), wanted[observed].detach(), rtol=1e-5, atol=1e-5)
    loss = network.loss(batch)
    np.testing.assert_allclose(loss.item(), wanted[observed].mean().item(), rtol=1e-5)
    loss.backward()
    wanted[observed].mean().backward()
    slopes = dict(model.named_parameters())
    for layer in range(built.layers):
        expected = slopes[f"rnn.weight_hh_l{layer}"].grad
        np.testing.assert_allclose(network.tensors[f"layer.{layer}.hidden"].grad, expected, rtol=1e-4, atol=1e-6)


def run(
    gates: torch.Tensor, weight: torch.Tensor, kept: Kept | None, slopes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The outputs of a layer, and the slopes of gates and weights."""
    gates, weight = gates.clone().requires_grad_(), weight.clone().requires_grad_()
    outputs = Recurrence.apply(gates.clone(), weight, kept)
    outputs.backward(slopes)
    return outputs.detach(), gates.grad, weight.grad


def by_autograd(
    gates: torch.Tensor, weight: torch.Tensor, kept: Kept | None, slopes: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """The same by torch's own derivatives, in double precision."""
    gates, weight = gates.double().requires_grad_(), weight.double().requires_grad_()
    hidden = cell = torch.zeros(gates.shape[1], weight.shape[1], dtype=torch.float64)
    outputs = []
    for step, gate in enumerate(gates):
        into, forget, fresh, out = (gate + hidden @ weight.t()).chunk(4, 1)
        state = forget.sigmoid() * cell + into.sigmoid() * fresh.tanh()
        output = out.sigmoid() * state.tanh()
        outputs.append(output)
        hidden = output if kept is None else torch.where(kept.hidden[step], hidden, output)
        cell = state if kept is None else torch.where(kept.cell[step], cell, state)
    stacked = torch.stack(outputs)
    stacked.backward(slopes.double())
    return stacked.detach(), gates.grad, weight.grad


@pytest.mark.parametrize("compiled", [True, False], ids=["core", "torch"])
@pytest.mark.parametrize("zoneout", [0.0, 0.3])
@pytest.mark.parametrize(("steps", "rows", "cells"), [(1, 1, 1), (5, 13, 9), (30, 32, 40), (4, 7, 33)])
def test_a_layer_and_its_slopes_are_those_of_autograd(
    steps: int, rows: int, cells: int, zoneout: float, compiled: bool
) -> None:
    """By the compiled core with each instruction set, and in torch."""
    generator = torch.Generator().manual_seed(steps)
    gates = 2 * torch.randn(steps, rows, 4 * cells, generator=generator)
    weight = torch.randn(4 * cells, cells, generator=generator) / cells**0.5
    slopes = torch.randn(steps, rows, cells, generator=generator)
    kept = Kept(*chosen((2, steps, rows, cells), zoneout, generator, "cpu")) if zoneout else None
    expected = by_autograd(gates, weight, kept, slopes)
    for found in found_by(compiled, gates, weight, kept, slopes):
        for ours, wanted in zip(found, expected, strict=True):
            np.testing.assert_allclose(ours, wanted, rtol=1e-4, atol=2e-5)


def found_by(compiled: bool, *layer: object) -> Iterator[tuple[torch.Tensor, ...]]:
    """What `run` finds, by each instruction set of the core or without it."""
    if not compiled:
        with without_core():
            yield run(*layer)
        return
    if core.native is None:
        pytest.skip("the core is not built: install g++ and run scripts/setup")
    sets = core.native.instruction_sets()
    try:
        for name in sets:
            core.native.use_instruction_set(name)
            yield run(*layer)
    finally:
        core.native.use_instruction_set(sets[-1])


def test_zoneout_keeps_about_as_many_numbers_as_it_should() -> None:
    kept = chosen((2, 300, 40, 11), 0.1, torch.Generator().manual_seed(1), "cpu")
    assert kept.shape == (2, 300, 40, 11)
    assert abs(kept.double().mean().item() - 0.1) < 4 * (0.09 / kept.numel()) ** 0.5


def test_residual_links_add_the_inputs_of_every_layer_but_the_first() -> None:
    """The map to the likelihood is linear: what the link adds is what the first layer alone would say."""
    plain, linked = (Network.new(architecture(residual=residual), 1) for residual in (False, True))
    batch = window(plain.architecture)
    bare, added = plain.forward(batch)[0], linked.forward(batch)[0]
    assert not torch.allclose(bare, added)
    first = replace(plain.architecture, layers=1)
    tensors = {name: tensor for name, tensor in plain.tensors.items() if not name.startswith("layer.1")}
    alone = Network(first, tensors).forward(batch)[0]
    bias = plain.tensors["output.bias"]
    np.testing.assert_allclose((bare + alone - bias).detach(), added.detach(), rtol=1e-5, atol=1e-6)


def test_a_skip_connection_adds_lagged_values_to_the_location() -> None:
    """deepar 24: and all of it scales with the target, as the parameters of a scaled window are the same."""
    network = Network.new(architecture(skip=True, scaling=DEVIATION), 2)
    batch = window(network.architecture)
    without = network.forward(batch)[0]
    with torch.no_grad():
        network.tensors["skip"][1] = 0.5
    told, scaled = network.forward(batch)
    lagged = scaled.of(batch.values, batch.observed)[:, max(LAGS) - 2 : -2].t()
    np.testing.assert_allclose((told[..., 0] - without[..., 0]).detach(), 0.5 * lagged.detach(), rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(told[..., 1:].detach(), without[..., 1:].detach())
    with torch.no_grad():
        network.tensors["layer.0.input"][:, network.architecture.inputs - network.architecture.covariates - 1] = 0
    told = network.forward(batch)[0]
    larger, twice = network.forward(replace(batch, values=batch.values * 1000))
    np.testing.assert_allclose(larger[:, :-1].detach(), told[:, :-1].detach(), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(twice.scale[:-1], 1000 * scaled.scale[:-1], rtol=1e-5)


@pytest.mark.parametrize("scaling", ["mean", DEVIATION])
def test_scales_are_of_what_the_context_holds(scaling: str) -> None:
    """A context with nothing observed, the last row's here, has the scale of the training data."""
    built = architecture(scaling=scaling, default_scale=7.0, default_centre=1.5)
    batch = window(built)
    scaled = Network.new(built, 0).scaled(batch)
    for row in range(ROWS - 1):
        context = slice(max(LAGS), max(LAGS) + CONTEXT)
        known = batch.values[row, context][batch.observed[row, context] > 0].numpy()
        centre = known.mean() if scaling == DEVIATION else 0
        np.testing.assert_allclose(scaled.centre[row], centre, rtol=1e-5)
        np.testing.assert_allclose(scaled.scale[row], np.abs(known - centre).mean(), rtol=1e-5)
    assert scaled.scale[-1] == 7.0
    assert scaled.centre[-1] == (1.5 if scaling == DEVIATION else 0)


def test_a_window_without_an_observed_point_has_no_loss() -> None:
    network = Network.new(architecture(), 0)
    batch = window(network.architecture)
    blank = replace(batch, values=torch.zeros_like(batch.values), observed=torch.zeros_like(batch.observed))
    loss = network.loss(blank)
    loss.backward()
    assert loss.item() == 0
    assert all(torch.isfinite(tensor.grad).all() for tensor in network.tensors.values() if tensor.grad is not None)


def test_negative_binomial_is_scipys() -> None:
    """With mean mu and variance mu + alpha mu^2, the mean in units of the scale."""
    stats = pytest.importorskip("scipy.stats")
    told, target = torch.tensor([[[0.3, -1.0], [2.0, 0.4]]]), torch.tensor([[3.0, 0.0]])
    scaled = network_scale(4.0, 0.5)
    mu = (torch.nn.functional.softplus(told[0, :, 0]) * scaled.scale).numpy().astype(float)
    alpha = torch.nn.functional.softplus(told[0, :, 1]).numpy().astype(float)
    expected = -stats.nbinom.logpmf(target[0].numpy(), 1 / alpha, 1 / (1 + alpha * mu))
    np.testing.assert_allclose(surprise("negative-binomial", told, target, scaled)[0], expected, rtol=1e-5)


def test_deterministic_l1_is_the_distance() -> None:
    told, target = torch.tensor([[[0.5], [2.0]]]), torch.tensor([[3.0, 0.0]])
    losses = surprise("deterministic-l1", told, target, network_scale(4.0, 0.5))
    np.testing.assert_allclose(losses, [[1.0, 1.0]])


def network_scale(*scales: float) -> Scaled:
    return Scaled(torch.zeros(len(scales)), torch.tensor(scales))


@pytest.mark.parametrize("likelihood", sorted(PARAMETERS))
def test_parameters_travel_through_files(tmp_path: Path, likelihood: str) -> None:
    """The network read back says the same, bit for bit."""
    network = Network.new(architecture(likelihood, skip=likelihood in LOCATED), 5)
    parameters = network.parameters()
    assert parameters.save(tmp_path) == ("model_algo-1", "model_algo-1.safetensors")
    read = Parameters.load(tmp_path)
    assert read.architecture == parameters.architecture
    batch = window(network.architecture)
    np.testing.assert_array_equal(Network.of(read).forward(batch)[0].detach(), network.forward(batch)[0].detach())


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"cells": 9}, "layer.0.input is float32"),
        ({"cells": 1 << 30}, "an array of more than"),
        ({"layers": 1 << 30}, "more than 4096 layers"),
        ({"layers": 3}, "expected the arrays"),
        ({"lags": [0]}, "lags is '0'"),
        ({"likelihood": "beta", "skip": True}, "no location to be moved"),
        ({"lags": [2, 1]}, "lags do not ascend"),
        ({"lags": 7}, "lags is no list"),
        ({"likelihood": "poisson"}, "likelihood is 'poisson'"),
        ({"default_scale": 0}, "default_scale holds '0'"),
        ({"default_scale": float("nan")}, "default_scale holds 'nan'"),
        ({"default_centre": "1"}, "default_centre holds '1'"),
        ({"spread": [1.0]}, "spread is no list of as many"),
        ({"spread": [1.0, 0.0, 1.0, 1.0, 1.0]}, "spread holds '0.0'"),
        ({"skip": 1}, "scaling, skip, residual, ahead or"),
        ({"scaling": {}}, "scaling, skip, residual, ahead or"),
        ({"likelihood": {}}, "likelihood is '{}'"),
        ({"default_scale": 10**400}, "default_scale holds '1000"),
        ({"frequency": "Q"}, "expected a whole number from 1 (may be absent) and one of M"),
        ({"frequency": "H"}, "calendar_features is 2: frequency H has 4"),
        ({"context_length": (1 << 31) - 1}, "are more than 4194304 steps"),
        ({"prediction_length": 1 << 30}, "are more than 4194304 steps"),
        ({"more": 1}, "expected the fields"),
    ],
)
def test_a_model_that_is_none_is_refused(tmp_path: Path, change: dict[str, object], says: str) -> None:
    Network.new(architecture(), 5).parameters().save(tmp_path)
    file = tmp_path / "model_algo-1"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(ModelError, match=re.escape(says)):
        Parameters.load(tmp_path)


def test_a_model_of_no_numbers_or_no_files_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="describes no DeepAR network"):
        Parameters.load(tmp_path)
    parameters = Network.new(architecture(), 5).parameters()
    parameters.arrays["output.bias"][0] = np.nan
    parameters.save(tmp_path)
    with pytest.raises(ModelError, match="no finite number"):
        Parameters.load(tmp_path)
    (tmp_path / "model_algo-1.safetensors").write_bytes(b"\xff" * 40)
    with pytest.raises(ModelError, match="does not hold the network"):
        Parameters.load(tmp_path)
