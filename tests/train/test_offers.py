"""What a configuration may name can be trained from one; what it cannot use says so."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lenetcli import config as configuration
from lenetcli import nn
from lenetcli.build.parts import build_run, check
from lenetcli.build.targets import PER_CLASS
from lenetcli.config.catalogue import ROLES
from lenetcli.errors import ConfigError
from lenetcli.nn.loss import Loss
from lenetcli.nn.module import ForPython
from lenetcli.train.events import Ended, Step
from lenetcli.train.loop import fit

pytestmark = pytest.mark.usefixtures("consenting")

VECTOR, ROW, IMAGE, VOLUME = "[6]", "[4, 6]", "[4, 6, 6]", "[2, 3, 3, 3]"  # of what layers take

FIRST = "batch_first: true"

# Of each layer that needs more than its name: shape of its input, its arguments
LAYERS: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("Add", "Multiply"), (VECTOR, "from: [given, given]")),
    "Concat": (VECTOR, "from: [given, given]"),
    **dict.fromkeys(("AdaptiveAvgPool1d", "AdaptiveMaxPool1d"), (ROW, "output_size: 2")),
    **dict.fromkeys(("AdaptiveAvgPool2d", "AdaptiveMaxPool2d"), (IMAGE, "output_size: 2")),
    **dict.fromkeys(("AvgPool1d", "MaxPool1d"), (ROW, "kernel_size: 2")),
    **dict.fromkeys(("AvgPool2d", "MaxPool2d", "Unfold"), (IMAGE, "kernel_size: 2")),
    "FractionalMaxPool2d": (IMAGE, "kernel_size: 2, output_size: 3"),
    "FractionalMaxPool3d": (VOLUME, "kernel_size: 2, output_ratio: 0.5"),
    "LPPool1d": (ROW, "norm_type: 2, kernel_size: 2"),
    "LPPool2d": (IMAGE, "norm_type: 2, kernel_size: 2"),
    **{f"{kind}1d": (ROW, "out_channels: 3, kernel_size: 2") for kind in ("Conv", "ConvTranspose")},
    **{f"{kind}2d": (IMAGE, "out_channels: 3, kernel_size: 2") for kind in ("Conv", "ConvTranspose")},
    **{f"{kind}1d": (ROW, "padding: 1") for kind in ("CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad")},
    **{f"{kind}2d": (IMAGE, "padding: 1") for kind in ("CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad")},
    "ConstantPad1d": (ROW, "padding: 1, value: 0.5"),
    "ConstantPad2d": (IMAGE, "padding: 1, value: 0.5"),
    **dict.fromkeys(("BatchNorm1d", "InstanceNorm1d", "Dropout1d"), (ROW, "")),
    **dict.fromkeys(("BatchNorm2d", "InstanceNorm2d", "Dropout2d", "FeatureAlphaDropout", "Softmax2d"), (IMAGE, "")),
    "SyncBatchNorm": (IMAGE, ""),
    **{f"{kind}3d": (VOLUME, "out_channels: 3, kernel_size: 2") for kind in ("Conv", "ConvTranspose")},
    **{f"{kind}3d": (VOLUME, "padding: 1") for kind in ("CircularPad", "ReflectionPad", "ReplicationPad", "ZeroPad")},
    "ConstantPad3d": (VOLUME, "padding: 1, value: 0.5"),
    **dict.fromkeys(("AdaptiveAvgPool3d", "AdaptiveMaxPool3d"), (VOLUME, "output_size: 2")),
    **dict.fromkeys(("AvgPool3d", "MaxPool3d"), (VOLUME, "kernel_size: 2")),
    "LPPool3d": (VOLUME, "norm_type: 2, kernel_size: 2"),
    **dict.fromkeys(("BatchNorm3d", "InstanceNorm3d", "Dropout3d"), (VOLUME, "")),
    "ChannelShuffle": (IMAGE, "groups: 2"),
    "Fold": (ROW, "output_size: [2, 3], kernel_size: 1"),
    "GLU": (VECTOR, ""),
    "GroupNorm": (IMAGE, "num_groups: 2"),
    "LayerNorm": (VECTOR, "normalized_shape: 6"),
    "RMSNorm": (VECTOR, "normalized_shape: 6"),
    "Linear": (VECTOR, "out_features: 5"),
    "LocalResponseNorm": (IMAGE, "size: 2"),
    "PixelShuffle": (IMAGE, "upscale_factor: 2"),
    "PixelUnshuffle": (IMAGE, "downscale_factor: 2"),
    **dict.fromkeys(("Softmax", "Softmin", "LogSoftmax"), (VECTOR, "dim: 1")),
    **dict.fromkeys(("Sequential", "Residual"), (IMAGE, "layers: [{type: ReLU}]")),
    **dict.fromkeys(("RNN", "GRU", "LSTM"), (ROW, f"hidden_size: 3, {FIRST}}}\n    - {{type: Steps")),
    "MultiheadAttention": (ROW, f"from: [given, given, given], num_heads: 2, {FIRST}}}\n    - {{type: Steps"),
    "TransformerEncoderLayer": (ROW, f"nhead: 2, dim_feedforward: 5, {FIRST}"),
    "TransformerDecoderLayer": (ROW, f"from: [given, given], nhead: 2, dim_feedforward: 5, {FIRST}"),
    "Transformer": (ROW, f"from: [given, given], nhead: 2, num_encoder_layers: 1, dim_feedforward: 5, {FIRST}"),
    "Positions": (ROW, "class_token: true"),
    "Tokens": (IMAGE, ""),
    "Threshold": (VECTOR, "threshold: 0.1, value: 0.2"),
    "Unflatten": (VECTOR, "dim: 1, unflattened_size: [2, 3]"),
    **dict.fromkeys(("Upsample", "UpsamplingBilinear2d", "UpsamplingNearest2d"), (IMAGE, "scale_factor: 2")),
}

CONFIG = """
model:
  input: [1, 2, 2]
  layers:
    - {type: Flatten}
    - {type: Linear, out_features: OUT}
LAYERS
data: {type: Random, shape: [1, 2, 2], classes: 3, train: 4, test: 4}
loss: {type: CrossEntropyLoss}
optimizer: {type: SGD, lr: 0.01, momentum: 0.5}
train: {epochs: 1, batch_size: 2}
"""
OF_LAYER = """    - {type: Unflatten, name: given, dim: 1, unflattened_size: SHAPE}
    - {type: NAME, ARGUMENTS}
    - {type: Flatten}
    - {type: Linear, out_features: 3}"""


def train(path: Path, text: str, *changes: str) -> list[Any]:
    path.write_text(text)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # KLDivLoss warns of its mean, as torch does
        events = list(fit(build_run(configuration.load(path, changes))))
    assert isinstance(events[-1], Ended)
    assert events[-1].reason == "finished"
    steps = [event for event in events if isinstance(event, Step)]
    assert all(np.isfinite(step.loss) for step in steps)
    return steps


@pytest.mark.parametrize("name", sorted(ROLES["layers"].classes))
def test_every_layer_offered_can_be_trained_from_a_configuration(name: str, tmp_path: Path) -> None:
    shape, arguments = LAYERS.get(name, (VECTOR, ""))
    sizes = [int(size) for size in shape.strip("[]").split(",")]
    text = CONFIG.replace("OUT", str(int(np.prod(sizes)))).replace("LAYERS", OF_LAYER)
    text = text.replace("SHAPE", shape).replace("NAME, ARGUMENTS", f"{name}, {arguments}".rstrip(", "))
    assert len(train(tmp_path / "layer.yaml", text)) == 2


OWN_DATA = """
import numpy as np
from lenetcli.data import ArrayDataset, Source


class Given(Source):
    def load(self, split: str) -> ArrayDataset:
        random = np.random.default_rng(0)
        return ArrayDataset(random.random((4, 1, 2, 2), np.float32), np.array(TARGETS))
"""
NUMBERS = "[[0.1, 0.2, 0.7], [0.5, 0.25, 0.25], [1.0, 0.0, 0.0], [0.3, 0.3, 0.4]], np.float32"
SIGNS = "[[1, -1, 1], [-1, 1, 1], [1, 1, 1], [-1, -1, -1]], np.float32"
LABELS = "[0, 2, 1, 1]"
LOSSES = {
    **dict.fromkeys(("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"), (LABELS, "LogSoftmax, dim: 1")),
    **dict.fromkeys(("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss", "PoissonNLLLoss"), (NUMBERS, "Identity")),
    **dict.fromkeys(("BCEWithLogitsLoss", "MultiLabelSoftMarginLoss"), (NUMBERS, "Identity")),
    **dict.fromkeys(("SoftMarginLoss", "HingeEmbeddingLoss"), (SIGNS, "Identity")),
    "BCELoss": (NUMBERS, "Sigmoid"),
    "KLDivLoss": (NUMBERS, "LogSoftmax, dim: 1"),
    "MultiLabelMarginLoss": ("[[0, -1, -1], [2, 1, -1], [1, 0, 2], [0, 2, -1]]", "Identity"),
}


@pytest.mark.parametrize(("reduction", "classes"), [("mean", ""), ("sum", ""), ("mean", '"a", "b", "c"')])
@pytest.mark.parametrize("name", sorted(ROLES["loss"].classes))
def test_every_loss_offered_can_be_trained_from_a_configuration(
    name: str, reduction: str, classes: str, tmp_path: Path
) -> None:
    targets, last = LOSSES[name]
    own = OWN_DATA.replace("Given(Source):\n", f"Given(Source):\n    classes = ({classes})\n\n")
    (tmp_path / "own.py").write_text(own.replace("TARGETS", targets))
    text = CONFIG.replace("OUT", "3").replace("LAYERS", f"    - {{type: {last}}}")
    text = text.replace("CrossEntropyLoss", f"{name}, reduction: {reduction}")
    text = text.replace("{type: Random, shape: [1, 2, 2], classes: 3, train: 4, test: 4}", "{type: 'own.py:Given'}")
    assert len(train(tmp_path / "loss.yaml", text)) == 2


@pytest.mark.parametrize("name", sorted({*ROLES["loss"].classes} - {cls.__name__ for cls in PER_CLASS}))
def test_targets_that_a_loss_would_spread_over_the_batch_are_refused(name: str, tmp_path: Path) -> None:
    text = CONFIG.replace("LAYERS\n", "").replace("CrossEntropyLoss", name)
    (tmp_path / "x.yaml").write_text(text.replace("OUT", "3"))
    loaded = configuration.load(tmp_path / "x.yaml")
    for refuse in (check, build_run):
        with pytest.raises(ConfigError, match=f"{name} cannot compare(.|\n)*class numbers are for CrossEntropyLoss"):
            refuse(loaded)
    (tmp_path / "own.py").write_text(OWN_DATA.replace("TARGETS", "[[0, 1]] * 4, np.float32"))
    text = text.replace("{type: Random, shape: [1, 2, 2], classes: 3, train: 4, test: 4}", "{type: 'own.py:Given'}")
    (tmp_path / "x.yaml").write_text(text.replace("OUT", "1"))
    with pytest.raises(ConfigError, match=f"{name} cannot compare the model's output"):
        build_run(configuration.load(tmp_path / "x.yaml"))


@pytest.mark.parametrize("name", sorted(ROLES["optimizer"].classes))
def test_every_optimizer_offered_can_be_trained_from_a_configuration(name: str, tmp_path: Path) -> None:
    text = CONFIG.replace("OUT", "3").replace("LAYERS\n", "")
    if name == "Muon":  # which takes matrices alone
        text = text.replace("out_features: 3", "out_features: 3, bias: false")
    assert len(train(tmp_path / "x.yaml", text, f"optimizer={{type: {name}, lr: 0.01}}", "train.epochs=2")) == 4


SCHEDULERS = {
    "LambdaLR": "lr_lambda: own.py:halving", "MultiplicativeLR": "lr_lambda: own.py:halving", "StepLR": "step_size: 1",
    "MultiStepLR": "milestones: [1]", "ExponentialLR": "gamma: 0.9", "CosineAnnealingWarmRestarts": "T_0: 1",
    "CyclicLR": "base_lr: 0.001, max_lr: 0.1", "OneCycleLR": "max_lr: 0.1",
    "SequentialLR": "milestones: [1], schedulers: [{type: ConstantLR}, {type: LinearLR}]",
    "ChainedScheduler": "schedulers: [{type: ConstantLR}, {type: LinearLR}]",
}  # fmt: skip


@pytest.mark.parametrize("name", sorted(ROLES["scheduler"].classes))
def test_every_scheduler_offered_can_be_trained_from_a_configuration(name: str, tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text("def halving(epoch: int) -> float:\n    return 0.5\n")
    text = CONFIG.replace("OUT", "3").replace("LAYERS\n", "")
    given = f"scheduler={{type: {name}, {SCHEDULERS.get(name, '')}}}".replace(", }", "}")
    (tmp_path / "x.yaml").write_text(text)
    assert len(train(tmp_path / "x.yaml", text, given, "train.epochs=2")) == 4


def for_python() -> list[str]:
    """What lenetcli.nn exports and no section of a config offers."""
    known = {name: getattr(nn, name) for name in nn.__all__ if isinstance(getattr(nn, name), type)}
    modules = {name for name, cls in known.items() if issubclass(cls, nn.Module) and cls is not nn.Module}
    return sorted(modules - set(ROLES["layers"].classes) - set(ROLES["loss"].classes))


def test_roles_are_classes() -> None:
    for role in ("layers", "loss"):
        for cls in ROLES[role].classes.values():
            assert issubclass(cls, Loss) is (role == "loss")
            assert not issubclass(cls, ForPython)
    assert {"TripletMarginLoss", "Bilinear", "MaxUnpool2d", "Embedding", "ModuleList"} < set(for_python())


@pytest.mark.parametrize("name", for_python())
def test_what_is_for_python_only_says_so(name: str, tmp_path: Path) -> None:
    (tmp_path / "x.yaml").write_text(CONFIG.replace("OUT", "3").replace("LAYERS\n", ""))
    for where in ("loss", "model.layers.0"):
        with pytest.raises(ConfigError, match=f"{name} is for Python only: it (takes|holds)"):
            configuration.load(tmp_path / "x.yaml", [f"{where}={{type: {name}}}"])
