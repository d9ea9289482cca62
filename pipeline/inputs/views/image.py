"""Augmented views of faces and frames: drawn from (view seed, sample, view number), made by batches on a device.

A view is a crop, a flip, a rotation of up to 10 degrees and a colour jitter, in coordinates relative to the picture:
a teacher at 224 px and a student at 112 px see the same picture. A mixed view has a box of another picture in it, or
is an average of both. A picture whose values are no colours, such as an infrared frame, has the geometry of the
photograph beside it and no jitter. Strong views break the look of a picture, too (``views/strong.py``).

Flip, rotation, crop and resize are one affine warp, jitter and normalisation one 3x4 colour matrix for each face, so
that a batch is read and written few times. Where the network's input is smaller than the aligned face, blocks of
pixels are averaged first: bilinear sampling alone would skip pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from math import pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.inputs.keyed_random import uniform
from pipeline.inputs.views import strong
from pipeline.inputs.views.plan import Draw, Drawn

PARAMETERS = ("scale", "shift_x", "shift_y", "flip", "angle", "brightness", "contrast", "saturation")
IDENTITY = np.array([1, 0, 0, 0, 0, 1, 1, 1], dtype=np.float32)
GROUP = "picture"  # of PARAMETERS among all that is drawn for a view

SMALLEST_CROP = 0.80  # side of the crop, as a share of the aligned face's side
LARGEST_ANGLE = 10 * pi / 180
JITTER = 0.25  # brightness, contrast and saturation are drawn from 1 - JITTER to 1 + JITTER
GREY = (0.299, 0.587, 0.114)  # ITU-R BT.601 luma


@dataclass(frozen=True)
class InputSpec:
    """What a network reads: pictures of ``size`` x ``size`` pixels, (value / 255 - mean) / std, channel by channel."""

    size: int
    mean: tuple[float, ...]
    std: tuple[float, ...]


def view_parameters(view_seed: int, sample_keys: np.ndarray, view: int | np.ndarray) -> np.ndarray:
    """Draw one view of each sample.

    Parameters
    ----------
    view_seed : seed of all views of a run.
    sample_keys : uint64, shape (N,), from ``keyed_random.keys(sample_ids)``.
    view : number of the view, for all or for each.

    Returns
    -------
    float32, shape (N, 8), columns ``PARAMETERS``: side of the crop as a share of the picture's; the crop's centre,
    where -1 and 1 are the picture's edges; 1 for a mirrored view; radians; and three factors of colour.
    """
    view = np.broadcast_to(np.asarray(view, np.uint64), sample_keys.shape)
    draws = uniform(view_seed, sample_keys[:, None], view[:, None], np.arange(8, dtype=np.uint64)[None, :])  # (N, 8)
    scale = SMALLEST_CROP + (1 - SMALLEST_CROP) * draws[:, 0]
    signed = 2 * draws - 1
    columns = (
        scale,
        (1 - scale) * signed[:, 1],
        (1 - scale) * signed[:, 2],
        (draws[:, 3] < 0.5).astype(np.float64),
        LARGEST_ANGLE * signed[:, 4],
        1 + JITTER * signed[:, 5],
        1 + JITTER * signed[:, 6],
        1 + JITTER * signed[:, 7],
    )
    return np.stack(columns, axis=1).astype(np.float32)


def make(images: Tensor, drawn: Drawn, spec: InputSpec) -> Tensor:
    """The views of a batch, as the network reads them.

    Parameters
    ----------
    images : uint8, shape (B, S, S, 3), RGB, on any device; where views are mixed (2 B, S, S, 3), partners second.
    drawn : the B views.
    spec : what the network reads.

    Returns
    -------
    float32, shape (B, 3, size, size), on the same device.
    """
    return _made(
        partial(augment, look=drawn.of(strong.GROUP)) if drawn.has(strong.GROUP) else augment, images, drawn, spec
    )


def make_uncoloured(images: Tensor, drawn: Drawn, spec: InputSpec) -> Tensor:
    """The same views of pictures whose values are no colours, of any number of channels: their geometry alone.

    Parameters
    ----------
    images : uint8, shape (B, S, S, C), on any device; where views are mixed (2 B, S, S, C), partners second.
    drawn, spec : as of ``make``.

    Returns
    -------
    float32, shape (B, C, size, size), on the same device.
    """
    return _made(warp, images, drawn, spec)


def _made(augmented: Callable, images: Tensor, drawn: Drawn, spec: InputSpec) -> Tensor:
    """The views of a batch, each by a function of pictures, parameters and spec, and mixed where they are."""
    parameters = drawn.of(GROUP)
    if parameters is None:
        return normalise(images, spec)
    made = augmented(images, parameters, spec)
    if drawn.partners is None:
        return made
    own, partner = made.chunk(2)
    boxes = torch.from_numpy(drawn.boxes).to(images.device)
    weight = torch.from_numpy(drawn.kept).to(images.device).view(-1, 1, 1, 1)
    boxed = (boxes[:, 2] > boxes[:, 0]).view(-1, 1, 1, 1)
    centres = (torch.arange(spec.size, device=images.device) + 0.5) / spec.size
    x = (centres >= boxes[:, :1]) & (centres < boxes[:, 2:3])  # (B, size)
    y = (centres >= boxes[:, 1:2]) & (centres < boxes[:, 3:])
    outside = ~(x[:, None, None, :] & y[:, None, :, None])  # (B, 1, size, size)
    return torch.lerp(partner, own, torch.where(boxed, outside.to(own.dtype), weight))


DRAWS: dict[str, Draw] = {GROUP: view_parameters}


def normalise(images: Tensor, spec: InputSpec) -> Tensor:
    """The identity view: resize and normalise.

    Parameters
    ----------
    images : uint8, shape (B, S, S, C), on any device.
    spec : what the network reads.

    Returns
    -------
    float32, shape (B, C, size, size), on the same device.
    """
    pictures = _pooled(images, spec.size)
    if pictures.shape[-1] != spec.size:
        pictures = F.interpolate(pictures, size=(spec.size, spec.size), mode="bilinear", align_corners=False)
    return _standardised(pictures, spec)


def _standardised(pictures: Tensor, spec: InputSpec) -> Tensor:
    """Pictures in 0..1, (B, C, s, s), less their channels' means, over their deviations."""
    mean, std = (torch.tensor(v, device=pictures.device).view(1, -1, 1, 1) for v in (spec.mean, spec.std))
    return (pictures - mean) / std


def augment(images: Tensor, parameters: np.ndarray, spec: InputSpec, look: np.ndarray | None = None) -> Tensor:
    """One view of each face, as the network reads it.

    Parameters
    ----------
    images : uint8, shape (B, S, S, 3), RGB, on any device.
    parameters : float32, shape (B, 8), from ``view_parameters``.
    spec : what the network reads.
    look : of strong views float32, shape (B, 36), from ``views/strong.py``; None: their look is not broken.

    Returns
    -------
    float32, shape (B, 3, size, size), on the same device. With ``IDENTITY`` parameters it equals ``normalise``.
    """
    drawn = dict(zip(PARAMETERS, torch.from_numpy(parameters).to(images.device).T, strict=True))  # each (B,)
    pictures = _pooled(images, spec.size)
    places = _places(drawn, pictures, spec.size)
    warped = _warped(pictures, places)
    if look is None:
        return _coloured(warped, pictures, drawn, spec)
    seen, broken = InputSpec(spec.size, (0.0,) * 3, (1.0,) * 3), strong.Look(look, images.device)
    covered = broken.covered(warped, places)
    return _standardised(broken.taken(_coloured(covered, pictures, drawn, seen)), spec)


def warp(images: Tensor, parameters: np.ndarray, spec: InputSpec) -> Tensor:
    """One view of each picture by its geometry alone, as the network reads it; as of ``augment``, of any channels."""
    drawn = dict(zip(PARAMETERS, torch.from_numpy(parameters).to(images.device).T, strict=True))
    pictures = _pooled(images, spec.size)
    return _standardised(_warped(pictures, _places(drawn, pictures, spec.size)), spec)


def _warped(pictures: Tensor, places: Tensor) -> Tensor:
    """Pictures (B, C, s, s) flipped, turned, cropped and resized, shape (B, C, size, size)."""
    return F.grid_sample(pictures, places, mode="bilinear", padding_mode="reflection", align_corners=False)


def _places(drawn: dict[str, Tensor], pictures: Tensor, size: int) -> Tensor:
    """Where each pixel of the views lies in its picture, -1..1 from edge to edge, shape (B, size, size, 2)."""
    return F.affine_grid(_warp(drawn), (*pictures.shape[:2], size, size), align_corners=False)


def _coloured(warped: Tensor, pictures: Tensor, drawn: dict[str, Tensor], spec: InputSpec) -> Tensor:
    """Warped pictures with the colours that were drawn, contrast about the mean grey of the pictures, standardised."""
    matrix, offset, darkest, brightest = _colours(pictures, drawn, spec)
    coloured = torch.baddbmm(offset, matrix, warped.flatten(2))  # (B, 3, size * size)
    return torch.clamp(coloured, darkest, brightest).view_as(warped)


def _pooled(images: Tensor, size: int) -> Tensor:
    """Average blocks of pixels by the largest whole factor that leaves ``size``; float32 in 0..1, (B, 3, s, s)."""
    factor = max(images.shape[1] // size, 1)
    if factor > 1:
        images = _block_sums(images, factor)
    pictures = images.permute(0, 3, 1, 2).to(torch.float32, memory_format=torch.contiguous_format)
    return pictures.div_(255.0 * factor**2)


def _block_sums(images: Tensor, factor: int) -> Tensor:
    """Exact sums of factor x factor blocks, factor >= 2, in integers: several times faster than pooling floats."""
    batch, side, _, channels = images.shape
    kept = side // factor
    images = images[:, : kept * factor, : kept * factor]
    dtype = torch.int16 if 255 * factor**2 < 2**15 else torch.int32
    by_row = images.reshape(batch, kept, factor, -1)
    rows = by_row[:, :, 0].to(dtype)
    for line in range(1, factor):
        rows += by_row[:, :, line]
    first, second, *others = rows.view(batch, kept, kept, factor, channels).unbind(3)
    sums = first + second
    for column in others:
        sums += column
    return sums  # (B, kept, kept, channels)


def _warp(drawn: dict[str, Tensor]) -> Tensor:
    """Matrices from the view's coordinates to the picture's, both -1..1 from edge to edge, shape (B, 2, 3)."""
    cos, sin = drawn["scale"] * torch.cos(drawn["angle"]), drawn["scale"] * torch.sin(drawn["angle"])
    mirror = 1 - 2 * drawn["flip"]
    x = torch.stack([cos * mirror, -sin, drawn["shift_x"]], dim=1)
    y = torch.stack([sin * mirror, cos, drawn["shift_y"]], dim=1)
    return torch.stack([x, y], dim=1)


def _colours(pictures: Tensor, drawn: dict[str, Tensor], spec: InputSpec) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Brightness, contrast about the mean grey, saturation and normalisation as one matrix and offset per face.

    Also gives the normalised values of black and white, between which the result is clamped.
    """
    device = pictures.device
    grey, mean, std = (torch.tensor(v, device=device) for v in (GREY, spec.mean, spec.std))
    brightness, contrast, saturation = (drawn[n].view(-1, 1, 1) for n in ("brightness", "contrast", "saturation"))
    mean_grey = (pictures.mean(dim=(2, 3)) @ grey).view(-1, 1, 1)
    matrix = saturation * torch.eye(3, device=device) + (1 - saturation) * grey.expand(3, 3)  # (B, 3, 3)
    matrix = brightness * contrast * matrix
    offset = (1 - contrast) * brightness * mean_grey  # (B, 1, 1)
    mean, std = mean.view(1, 3, 1), std.view(1, 3, 1)
    return matrix / std, (offset - mean) / std, -mean / std, (1 - mean) / std


def view_points(points: np.ndarray, parameters: np.ndarray) -> np.ndarray:
    """Where points of the faces are in their views.

    Parameters
    ----------
    points : float, shape (B, P, 2), x and y, where -1 and 1 are the aligned face's edges.
    parameters : float32, shape (B, 8), from ``view_parameters``.

    Returns
    -------
    float32, shape (B, P, 2), where -1 and 1 are the view's edges.
    """
    matrices = _warp(dict(zip(PARAMETERS, torch.from_numpy(parameters).T, strict=True))).numpy()
    moved = points - matrices[:, None, :, 2]
    return np.linalg.solve(matrices[:, None, :, :2], moved[..., None])[..., 0].astype(np.float32)
