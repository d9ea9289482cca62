"""Teachers that read RGB and infrared pictures together: four that meet half way, and any network of timm twice.

Of the four, each branch is the lower part of a network, and what comes after the branches meet is shared. The lowest
layers stay as they came. With two outputs:

======================== ======================== =========== =========== ======
name                     the branches meet after  parameters  trained     hidden
======================== ======================== =========== =========== ======
``dual_resnet152``       layer 3, 1024 channels   103,426,178  98,295,810   2048
``dual_efficientnet_b7`` block 7, 640 channels    126,756,002 102,116,338   2560
``dual_vit_b16``         the embedding, as tokens  86,544,386  42,835,970   1536
``dual_swin_t``          stage 2, 192 channels     28,790,846  26,399,162    768
======================== ======================== =========== =========== ======

``dual:<timm's name>``, such as ``dual:resnet18``, is two whole networks; the classifier reads the pooled features of
both. All of it is trained.

Options go to timm; ``drop_rate`` is of what the classifier reads, and ``frozen=False`` trains one of the four whole, as
random weights call for.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any, NamedTuple

from torch import nn

from pipeline.config import Architecture
from pipeline.models import families, weights
from pipeline.models.dual_network import Cells, DualNetwork, Maps, Pooled, Tokens


class Design(NamedTuple):
    """How two branches of a network become one.

    Parameters
    ----------
    backbone : timm's name of it.
    fusion : makes the network of both branches and what they share.
    level : of the ``feature_info`` at which they meet.
    shared : its modules that both branches share, in their order.
    frozen : its modules that are not trained.
    dropout : before the classifier.
    """

    backbone: str
    fusion: Callable[..., DualNetwork]
    level: int
    shared: tuple[str, ...]
    frozen: tuple[str, ...]
    dropout: float = 0.0


DESIGNS = {
    "dual_resnet152": Design(
        "resnet152",
        fusion=partial(Maps, act=nn.ReLU),
        level=-2,
        shared=("layer4",),
        frozen=("conv1", "bn1", "layer1", "layer2"),
    ),
    "dual_efficientnet_b7": Design(
        "tf_efficientnet_b7",  # as efficientnet_b7, which timm has no weights of, with TensorFlow's paddings
        fusion=partial(Maps, act=nn.SiLU),
        level=-1,
        shared=("conv_head", "bn2"),
        frozen=("conv_stem", "bn1", *(f"blocks.{number}" for number in range(5))),
        dropout=0.5,
    ),
    "dual_vit_b16": Design(
        "vit_base_patch16_224",
        fusion=Tokens,
        level=0,
        shared=("blocks", "norm"),
        frozen=("patch_embed", *(f"blocks.{number}" for number in range(6))),
    ),
    "dual_swin_t": Design(
        "swin_tiny_patch4_window7_224",
        fusion=Cells,
        level=1,
        shared=("layers.2", "layers.3", "norm"),  # timm merges patches where a stage begins
        frozen=("patch_embed", "layers.0", "layers.1"),
    ),
}
NAMES = tuple(DESIGNS)
LATE = "dual:"  # before timm's name of any network
CLASSIFIER = "classifier"


def backbone(name: str) -> str:
    """timm's name of the network that both branches are; empty where the name is of no network of two branches."""
    if name in DESIGNS:
        return DESIGNS[name].backbone
    return name.removeprefix(LATE) if name.startswith(LATE) else ""


def create(architecture: Architecture, num_classes: int, pretrained: bool) -> nn.Module:
    """Build the network; pretrained, both branches and what they share begin with timm's weights of the backbone.

    Raises
    ------
    ValueError : the backbone has not the parts that are shared or frozen, or no pooled features.
    """
    options = dict(architecture.options)
    dropout, frozen = options.pop("drop_rate", None), options.pop("frozen", True)
    single = replace(architecture, name=backbone(architecture.name), options=tuple(options.items()))
    rgb, ir = (families.create(single, 0, pretrained=False) for _ in range(2))
    common = {"name": architecture.name, "backbone": single, "outputs": num_classes}
    if architecture.name in DESIGNS:
        design = DESIGNS[architecture.name]
        dropout = design.dropout if dropout is None else dropout
        model = _designed(design, rgb, ir, frozen, {**common, "dropout": dropout})
    else:
        model = _late(rgb, ir, {**common, "dropout": dropout or 0.0})
    if pretrained:
        tensors = families.create(single, 0, pretrained=True).state_dict()
        weights.load_backbone(model, tensors, (CLASSIFIER,), single.name)
    return model


def _late(rgb: nn.Module, ir: nn.Module, common: dict[str, Any]) -> nn.Module:
    width = getattr(rgb, "head_hidden_size", None)
    if not isinstance(width, int):
        raise ValueError(f"{type(rgb).__name__} gives no pooled features")
    maps = getattr(rgb, "feature_info", None)
    return Pooled(rgb=rgb, ir=ir, hidden=2 * width, channels=2 * maps[-1]["num_chs"] if maps else 0, **common)


def _designed(design: Design, rgb: nn.Module, ir: nn.Module, frozen: bool, common: dict[str, Any]) -> nn.Module:
    width, final = rgb.feature_info[design.level]["num_chs"], rgb.head_hidden_size
    try:
        if frozen:
            for branch in (rgb, ir):
                for path in design.frozen:
                    branch.get_submodule(path).requires_grad_(False)
        trunk = _shared(rgb, design.shared)
        for branch in (rgb, ir):
            for path in design.shared:
                branch.set_submodule(path, nn.Identity())
    except AttributeError as error:
        raise ValueError(f"it has not the parts that are shared or frozen: {error}") from error
    return design.fusion(rgb=rgb, ir=ir, hidden=final, channels=final, width=width, trunk=trunk, **common)


def _shared(model: nn.Module, paths: tuple[str, ...]) -> nn.Sequential:
    """Some modules of a network, one after the other, under the names that they have in it."""
    trunk = nn.Sequential()
    for path in paths:
        *above, name = path.split(".")
        holder = trunk
        for part in above:
            if part not in dict(holder.named_children()):
                holder.add_module(part, nn.Sequential())
            holder = holder.get_submodule(part)
        holder.add_module(name, model.get_submodule(path))
    return trunk
