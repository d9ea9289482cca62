"""Heat maps that look inside a network of torch: by the gradients of its last map, or by the attention of its blocks.

Each is a function of a network, what it reads, and a score of its raw outputs; it gives a value of 0 or more for every
cell of the network's own grid, which is as coarse as that grid is.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

Score = Callable[[Tensor], Tensor]  # of raw outputs (B, C), one number for each input, (B,)


def grad_cam(model: nn.Module, pictures: Tensor, score: Score) -> Tensor:
    """Where the last map speaks for a score: its channels, each weighted by the mean of its gradient.

    Parameters
    ----------
    model : in evaluation mode; ``gives_map`` is true of it.
    pictures : float32, shape (B, channels, size, size), normalised, on its device.

    Returns
    -------
    float32, shape (B, h, w), >= 0.

    Source: Selvaraju et al. 2017, arXiv:1610.02391. The map is what ``forward_features`` gives, after the final norm.
    """
    with torch.no_grad():
        features = model.forward_features(pictures)
    with torch.enable_grad():
        features = features.detach().requires_grad_()
        (gradient,) = torch.autograd.grad(score(model.forward_head(features).float()).sum(), features)
    maps, slopes = (_channels_first(model, one).detach().float() for one in (features, gradient))
    weights = slopes.mean((2, 3), keepdim=True)  # (B, D, 1, 1)
    return (weights * maps).sum(1).relu()


def gives_map(model: nn.Module, picture: Tensor) -> bool:
    """Whether a network makes its answer from a map of places, which is found out by asking unless it ``attends``.

    Parameters
    ----------
    picture : one, or several, as it reads them.
    """
    if attends(model):
        return False
    with torch.no_grad():
        features = model.forward_features(picture)
    return isinstance(features, Tensor) and features.ndim == 4


def _channels_first(model: nn.Module, features: Tensor) -> Tensor:
    """timm's networks of windows keep the channels last, and say so."""
    return features.permute(0, 3, 1, 2) if getattr(model, "output_fmt", "NCHW") == "NHWC" else features


def attends(model: nn.Module) -> bool:
    """Whether a network is a transformer whose blocks attend to all tokens, as those of timm's ViT and DeiT do."""
    blocks = getattr(model, "blocks", ())
    attentions = [getattr(block, "attn", None) for block in blocks]
    return hasattr(model, "num_prefix_tokens") and bool(attentions) and all(_is_fused(one) for one in attentions)


def _is_fused(attention: Any) -> bool:
    return bool(getattr(attention, "fused_attn", False))


def rollout(model: nn.Module, pictures: Tensor, _: Score | None = None) -> Tensor:
    """From where the tokens that answer have their features, whatever they answer: attention through all blocks.

    Parameters
    ----------
    model : in evaluation mode; ``attends`` is true of it.
    pictures : as of ``grad_cam``.

    Returns
    -------
    float32, shape (B, h, w), >= 0.

    Source: Abnar and Zuidema 2020, arXiv:2005.00928: the mean over heads, half of it the residual connection.
    """
    with torch.no_grad(), _Attention() as seen:
        model(pictures)
    flow = itself = torch.eye(seen.matrices[0].shape[-1], device=pictures.device)
    for matrix in seen.matrices:
        flow = (matrix.float().mean(1) + itself) / 2 @ flow  # (B, n, n)
    return _to_places(model, flow)


def attention_gradient(model: nn.Module, pictures: Tensor, score: Score) -> Tensor:
    """From where the tokens that answer have what speaks for a score: attention by its gradient, through all blocks.

    Parameters
    ----------
    model, pictures : as of ``rollout``.

    Returns
    -------
    float32, shape (B, h, w), >= 0.

    Source: Chefer et al. 2021, arXiv:2103.15679, equations 5 and 6, self-attention alone.
    """
    with torch.enable_grad(), _Attention() as seen:
        answers = model(pictures.detach().requires_grad_())
        gradients = torch.autograd.grad(score(answers.float()).sum(), seen.matrices)
    flow = torch.eye(seen.matrices[0].shape[-1], device=pictures.device).expand(len(pictures), -1, -1)
    for matrix, gradient in zip(seen.matrices, gradients, strict=True):
        flow = flow + (matrix * gradient).detach().float().relu().mean(1) @ flow  # (B, n, n)
    return _to_places(model, flow)


def _to_places(model: nn.Module, flow: Tensor) -> Tensor:
    """What the tokens that are read for an answer have from each place, as a map; a DeiT's two tokens count alike."""
    prefix = model.num_prefix_tokens
    read = flow[:, :prefix] if model.global_pool == "token" else flow[:, prefix:]
    places = read.mean(1)[:, prefix:]  # (B, h w)
    side = math.isqrt(places.shape[1])
    return places.unflatten(1, (side, -1))


class _Attention(TorchFunctionMode):
    """Within it, attention is computed in the open, and its matrices are kept.

    The network itself is left as it is, and what other threads compute meanwhile with it, too: a mode is its thread's.

    Attributes
    ----------
    matrices : of each block, float, shape (B, heads, n, n): how much each token, a row, has from each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.matrices: list[Tensor] = []

    def __torch_function__(self, function, types, args=(), kwargs=None):
        if function is F.scaled_dot_product_attention:
            return self._attend(*args, **(kwargs or {}))
        return function(*args, **(kwargs or {}))

    def _attend(
        self,
        queries: Tensor,
        keys: Tensor,
        values: Tensor,
        attn_mask: Tensor | None = None,
        scale: float | None = None,
        **_: Any,
    ) -> Tensor:
        """What ``F.scaled_dot_product_attention`` gives in evaluation mode, of queries (B, heads, n, width)."""
        scores = queries @ keys.mT * (queries.shape[-1] ** -0.5 if scale is None else scale)
        matrix = (scores if attn_mask is None else scores + attn_mask).softmax(-1)
        self.matrices.append(matrix)
        return matrix @ values
