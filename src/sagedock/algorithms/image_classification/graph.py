"""The network as it is served: ONNX operations, known from the description alone; weights are named, not held.

Batch normalisation that follows a convolution is a part of it. What cannot be (before a convolution, with padding or a
sum in between) stays. With int8, values between operations go through eight bits (QuantizeLinear, DequantizeLinear),
which an engine turns into whole-number arithmetic. No torch here: serving compares a file with this list.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sagedock.algorithms.image_classification.layouts import FILTERS, LAYOUTS, NARROW_STEM, SMALL_FILTERS, Layout

FLOAT, UINT8, INT8, INT32 = "float32", "uint8", "int8", "int32"
INPUT, OUTPUT = "pictures", "probabilities"
MEAN = "mean"
STEM, HEAD = "conv1", "fc"
TORCH_EPSILON, OWN_EPSILON = 1e-5, 2e-5
"""Of batch normalisation: torchvision's, and that of our own networks."""

Attribute = int | float | tuple[int, ...]


@dataclass(frozen=True)
class Node:
    """One operation of ONNX's default domain."""

    operation: str
    inputs: tuple[str, ...]
    output: str
    attributes: tuple[tuple[str, Attribute], ...] = ()


@dataclass(frozen=True)
class Spec:
    """What kind of array a name stands for."""

    kind: str
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Convolution:
    """Where its numbers come from: a weight, and the batch normalisation that follows, if one does."""

    name: str
    normalisation: str | None


@dataclass(frozen=True)
class Normalisation:
    """A batch normalisation that is an operation of its own."""

    name: str


@dataclass
class Graph:
    """`tensors` are the weights in the order of the file; `quantised` the values that go through eight bits, and
    whether each is at least 0 because a ReLU is meant.
    """

    picture: tuple[int, int, int]
    classes: int
    epsilon: float
    nodes: list[Node] = field(default_factory=list)
    tensors: dict[str, Spec] = field(default_factory=dict)
    convolutions: list[Convolution] = field(default_factory=list)
    normalisations: list[Normalisation] = field(default_factory=list)
    quantised: dict[str, bool] = field(default_factory=dict)
    inputs_of: dict[str, str] = field(default_factory=dict)
    """By the name of a convolution in whole numbers, or of the head: the quantised value that it reads."""


@dataclass(frozen=True)
class Architecture:
    """What decides a graph. `image_shape` is (C, H, W), `stem` the kernel of the first convolution."""

    num_layers: int
    image_shape: tuple[int, int, int]
    num_classes: int
    stem: int
    multi_label: bool = False
    int8: bool = False


def build(architecture: Architecture) -> Graph:
    """The operations from pictures (n, C, H, W) of uint8 to probabilities (n, classes) of float32."""
    return _Builder(architecture).graph


class _Builder:
    def __init__(self, architecture: Architecture) -> None:
        layout = LAYOUTS[architecture.num_layers]
        epsilon = OWN_EPSILON if layout.own else TORCH_EPSILON
        self.int8 = architecture.int8
        self.graph = Graph(architecture.image_shape, architecture.num_classes, epsilon)
        self._sources: Mapping[str, str] = {}
        value, width = self._stem(architecture, layout)
        value, width = self._stages(value, width, layout)
        self._head(value, width, architecture)

    def _stem(self, architecture: Architecture, layout: Layout) -> tuple[str, int]:
        channels, kernel = architecture.image_shape[0], architecture.stem
        width = SMALL_FILTERS if layout.small else FILTERS
        narrow = kernel == NARROW_STEM
        self._tensor(MEAN, (channels, 1, 1))
        self._node("Cast", (INPUT,), "raw", to=1)
        self._node("Sub", ("raw", MEAN), "centred")
        plain = layout.own and narrow
        value = self._convolution(
            "centred",
            STEM,
            None if plain else "bn1",
            (width, channels, kernel),
            1 if narrow else 2,
            relu=not plain,
            exact=True,
        )
        if not narrow:
            pooled = self._node("MaxPool", (value,), "maxpool", kernel_shape=(3, 3), pads=(1, 1, 1, 1), strides=(2, 2))
            value = self._through(pooled, relu=True)
        return value, width

    def _stages(self, value: str, inputs: int, layout: Layout) -> tuple[str, int]:
        first = inputs
        block = self._own_block if layout.own else self._block
        for number, blocks in enumerate(layout.blocks):
            outputs = first * 2**number * (4 if layout.bottleneck else 1)
            for place in range(blocks):
                stride = 2 if number and not place else 1
                value = block(
                    value, f"layer{number + 1}.{place}", inputs, outputs, stride, layout.bottleneck, not place
                )
                inputs = outputs
        return (self._normalisation(value, "bn2", inputs) if layout.own else value), inputs

    def _block(
        self, value: str, name: str, inputs: int, outputs: int, stride: int, bottleneck: bool, first: bool
    ) -> str:
        """torchvision's: convolutions, the sum, and then ReLU."""
        beside = value
        if first and (stride != 1 or inputs != outputs):
            norm = f"{name}.downsample.1"
            beside = self._convolution(value, f"{name}.downsample.0", norm, (outputs, inputs, 1), stride, relu=False)
        inner = outputs // 4 if bottleneck else outputs
        shapes = (
            [(inner, inputs, 1), (inner, inner, 3), (outputs, inner, 1)]
            if bottleneck
            else [(inner, inputs, 3), (outputs, inner, 3)]
        )
        strides = [1, stride, 1] if bottleneck else [stride, 1]
        for number, (shape, step) in enumerate(zip(shapes, strides, strict=True), start=1):
            last = number == len(shapes)
            value = self._convolution(value, f"{name}.conv{number}", f"{name}.bn{number}", shape, step, relu=not last)
        return self._through(self._node("Add", (value, beside), name), relu=True, clipped=True)

    def _own_block(
        self, value: str, name: str, inputs: int, outputs: int, stride: int, bottleneck: bool, first: bool
    ) -> str:
        """Ours: batch normalisation and ReLU before each convolution."""
        active = self._normalisation(value, f"{name}.bn1", inputs)
        beside = value
        if first:
            beside = self._convolution(active, f"{name}.shortcut", None, (outputs, inputs, 1), stride, relu=False)
        inner = outputs // 4 if bottleneck else outputs
        one = 1 if bottleneck else 3
        value = self._convolution(
            active, f"{name}.conv1", f"{name}.bn2", (inner, inputs, one), 1 if bottleneck else stride, relu=True
        )
        norm = f"{name}.bn3" if bottleneck else None
        shape = (inner if bottleneck else outputs, inner, 3)
        value = self._convolution(value, f"{name}.conv2", norm, shape, stride if bottleneck else 1, relu=bottleneck)
        if bottleneck:
            value = self._convolution(value, f"{name}.conv3", None, (outputs, inner, 1), 1, relu=False)
        return self._through(self._node("Add", (value, beside), name), relu=False)

    def _head(self, value: str, width: int, architecture: Architecture) -> None:
        pooled = self._node("GlobalAveragePool", (value,), "pooled")
        flat = self._node("Flatten", (pooled,), "features", axis=1)
        self._tensor(f"{HEAD}.weight", (architecture.num_classes, width))
        self._tensor(f"{HEAD}.bias", (architecture.num_classes,))
        self._node("Gemm", (flat, f"{HEAD}.weight", f"{HEAD}.bias"), "logits", transB=1)
        if architecture.multi_label:
            self._node("Sigmoid", ("logits",), OUTPUT)
        else:
            self._node("Softmax", ("logits",), OUTPUT, axis=1)

    def _convolution(
        self,
        value: str,
        name: str,
        normalisation: str | None,
        shape: tuple[int, int, int],
        stride: int,
        *,
        relu: bool,
        exact: bool = False,
    ) -> str:
        """`shape` is outputs, inputs and kernel; `exact` ones compute in float32 whatever the rest does."""
        outputs, inputs, kernel = shape
        self.graph.convolutions.append(Convolution(name, normalisation))
        weight, bias = f"{name}.weight", f"{name}.bias"
        if self.int8 and not exact:
            self.graph.inputs_of[name] = self._sources[value]
            weight = self._dequantised(weight, INT8, (outputs, inputs, kernel, kernel))
            bias = self._dequantised(bias, INT32, (outputs,))
        else:
            self._tensor(weight, (outputs, inputs, kernel, kernel))
            self._tensor(bias, (outputs,))
        pad = kernel // 2
        found = self._node(
            "Conv",
            (value, weight, bias),
            name,
            kernel_shape=(kernel, kernel),
            pads=(pad, pad, pad, pad),
            strides=(stride, stride),
        )
        return self._through(found, relu=relu, clipped=relu)

    def _normalisation(self, value: str, name: str, width: int) -> str:
        """With the ReLU that always follows it here."""
        self.graph.normalisations.append(Normalisation(name))
        names = tuple(f"{name}.{part}" for part in ("weight", "bias", "running_mean", "running_var"))
        for each in names:
            self._tensor(each, (width,))
        found = self._node("BatchNormalization", (value, *names), name, epsilon=self.graph.epsilon)
        return self._through(found, relu=True, clipped=True)

    def _through(self, value: str, *, relu: bool, clipped: bool = False) -> str:
        """What follows an operation: the ReLU that is left to do, or eight bits, whose lower end is the ReLU."""
        if not self.int8:
            return self._node("Relu", (value,), f"{value}.relu") if clipped else value
        self.graph.quantised[value] = relu
        scale, zero = f"{value}.scale", f"{value}.zero"
        self._tensor(scale, ())
        self._tensor(zero, (), UINT8)
        self._node("QuantizeLinear", (value, scale, zero), f"{value}.quantised")
        found = self._node("DequantizeLinear", (f"{value}.quantised", scale, zero), f"{value}.value")
        self._sources = {**self._sources, found: value}
        return found

    def _dequantised(self, name: str, kind: str, shape: tuple[int, ...]) -> str:
        scale, zero = f"{name}.scale", f"{name}.zero"
        self._tensor(name, shape, kind)
        self._tensor(scale, shape[:1])
        self._tensor(zero, shape[:1], kind)
        return self._node("DequantizeLinear", (name, scale, zero), f"{name}.value", axis=0)

    def _tensor(self, name: str, shape: tuple[int, ...], kind: str = FLOAT) -> None:
        self.graph.tensors[name] = Spec(kind, shape)

    def _node(self, operation: str, inputs: tuple[str, ...], output: str, **attributes: Attribute) -> str:
        self.graph.nodes.append(Node(operation, inputs, output, tuple(attributes.items())))
        return output
