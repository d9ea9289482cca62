"""Strong views: what breaks the look of the pictures that were learned from, drawn like the views that it is added to.

Behind a face and in front of it there is something else (a background outside an ellipse about the face, a box or an
ellipse that hides a part of it: random erasing, Zhong et al. 2017, arXiv:1708.04896), the light has another colour and
curve, the picture is blurred, noisy and compressed. A network of rendered faces then cannot rest on what only rendered
pictures have: an even background, clean surfaces, sharp edges without grain.

Places are in coordinates of the picture, lengths in shares of its side. What has pixels of its own, noise, texture and
compression, is made at ``BASE`` pixels and brought to the network's side: a teacher at 224 px and a student at 112 px
see the same grain and blocks. Where a picture is compressed nothing finer than ``BASE`` pixels is left.

Noise and texture are two fixed tiles that each view shifts by numbers of its own, so that a view stays a pure function
of what was drawn, on every device.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from math import ceil, log, pi

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from pipeline.inputs.keyed_random import uniform
from pipeline.inputs.views.compression import BASE, compressed
from pipeline.inputs.views.plan import Draw

GROUP = "look"  # of PARAMETERS among all that is drawn for a view
FILL = ("red", "green", "blue", "red_2", "green_2", "blue_2", "angle", "texture", "texture_x", "texture_y")
BACKGROUND = ("shown", "width", "height", *FILL)
OCCLUDER = ("x", "y", "width", "height", "round", *FILL)
PARAMETERS = (
    *("warmth", "tint", "gamma", "blur", "noise", "noise_x", "noise_y", "compression"),
    *(f"background_{name}" for name in BACKGROUND),
    *(f"occluder_{name}" for name in OCCLUDER),
)
IDENTITY = np.zeros(len(PARAMETERS), np.float32)
FIRST = 64  # part of a key: that of the first of PARAMETERS, after those of pictures, mixtures and signals

LARGEST_WARMTH, LARGEST_TINT = 0.2, 0.08  # logarithms of factors: of red and of blue, of green
LARGEST_GAMMA = log(1.6)
LARGEST_BLUR = 0.012  # deviation as a share of the picture's side
LARGEST_NOISE = 0.08  # deviation, of white
LEAST_COMPRESSION, LARGEST_COMPRESSION = 0.4, 2.0  # factors of JPEG's tables: qualities 80 to 25
OFTEN = {"blur": 0.5, "noise": 0.5, "compression": 0.5, "background_shown": 0.5, "occluder_width": 0.35}
ELLIPSE, CENTRE_Y = ((0.72, 0.92), (0.88, 1.08)), 0.05  # half axes of what is face, 1: half a side; below the middle
EDGE = 0.06  # the ellipse's edge is soft over this share of it
OCCLUDES = (0.08, 0.32)  # half sides
TEXTURE = 0.15  # its deviation, of white
COLOURFUL = 0.5  # what is left of the distance from grey, in fills and noise


def of_faces(view_seed: int, sample_keys: np.ndarray, view: int | np.ndarray) -> np.ndarray:
    """Draw the look of one view of each aligned face.

    Parameters
    ----------
    view_seed : seed of all views of a run.
    sample_keys : uint64, shape (N,), from ``keyed_random.keys(sample_ids)``.
    view : number of the view, for all or for each.

    Returns
    -------
    float32, shape (N, 36), columns ``PARAMETERS``: all zero is the picture as it is.
    """
    view = np.broadcast_to(np.asarray(view, np.uint64), sample_keys.shape)
    numbers = np.arange(FIRST, FIRST + len(PARAMETERS), dtype=np.uint64)
    draws = uniform(view_seed, sample_keys[:, None], view[:, None], numbers[None, :])  # (N, 36)
    drawn = dict(zip(PARAMETERS, draws.T, strict=True))
    often = {name: _sometimes(drawn[name], share) for name, share in OFTEN.items()}
    happens = {name: drawn[name] < share for name, share in OFTEN.items()}
    least, most = log(LEAST_COMPRESSION), log(LARGEST_COMPRESSION)
    columns = drawn | {
        "warmth": LARGEST_WARMTH * (2 * drawn["warmth"] - 1),
        "tint": LARGEST_TINT * (2 * drawn["tint"] - 1),
        "gamma": LARGEST_GAMMA * (2 * drawn["gamma"] - 1),
        "blur": LARGEST_BLUR * often["blur"],
        "noise": LARGEST_NOISE * often["noise"],
        "compression": happens["compression"] * np.exp(least + (most - least) * often["compression"]),
        "background_shown": happens["background_shown"],
        "background_width": _between(ELLIPSE[0], drawn["background_width"]),
        "background_height": _between(ELLIPSE[1], drawn["background_height"]),
        "occluder_x": 2 * drawn["occluder_x"] - 1,
        "occluder_y": 2 * drawn["occluder_y"] - 1,
        "occluder_width": happens["occluder_width"] * _between(OCCLUDES, often["occluder_width"]),
        "occluder_height": _between(OCCLUDES, drawn["occluder_height"]),
        "occluder_round": drawn["occluder_round"] < 0.5,
    }
    columns |= _drawn_fill(drawn, "background_") | _drawn_fill(drawn, "occluder_")
    return np.stack([columns[name] for name in PARAMETERS], axis=1).astype(np.float32)


def of_frames(view_seed: int, sample_keys: np.ndarray, view: int | np.ndarray) -> np.ndarray:
    """Draw the look of one view of each frame: as ``of_faces``, but nothing hides what the label may be about."""
    drawn = of_faces(view_seed, sample_keys, view)
    drawn[:, [PARAMETERS.index("background_shown"), PARAMETERS.index("occluder_width")]] = 0
    return drawn


DRAWS: Mapping[str, Mapping[str, Draw]] = {"align": {GROUP: of_faces}, "resize": {GROUP: of_frames}}


def _sometimes(draws: np.ndarray, share: float) -> np.ndarray:
    """Numbers in 0..1 for the share of the draws that are below it, 0 for the others."""
    return np.where(draws < share, draws / share, 0)


def _between(bounds: tuple[float, float], draws: np.ndarray) -> np.ndarray:
    return bounds[0] + (bounds[1] - bounds[0]) * draws


def _drawn_fill(drawn: Mapping[str, np.ndarray], of: str) -> dict[str, np.ndarray]:
    """A fill: a third of them one colour, a third a gradient between two, a third that with a texture."""
    kind = drawn[f"{of}texture"]
    colours = []
    for end in ("", "_2"):
        own = np.stack([drawn[f"{of}{name}{end}"] for name in ("red", "green", "blue")])
        colours.append(COLOURFUL * own + (1 - COLOURFUL) * own.mean(axis=0))
    colours[1] = np.where(kind < 1 / 3, colours[0], colours[1])
    named = {f"{of}{name}": value for name, value in zip(FILL[:6], np.concatenate(colours), strict=True)}
    return named | {
        f"{of}angle": 2 * pi * drawn[f"{of}angle"],
        f"{of}texture": TEXTURE * np.where(kind < 2 / 3, 0, 3 * kind - 2),
    }


class Look:
    """The look of a batch of views.

    Parameters
    ----------
    parameters : float32, shape (B, 36), from ``of_faces`` or ``of_frames``.
    device : of the pictures.
    """

    def __init__(self, parameters: np.ndarray, device: torch.device):
        self._parameters, self._device = parameters, device

    def __getitem__(self, name: str) -> Tensor:
        """A number of each view, float32, shape (B, 1, 1, 1)."""
        column = np.ascontiguousarray(self._parameters[:, PARAMETERS.index(name)])
        return torch.from_numpy(column).to(self._device).view(-1, 1, 1, 1)

    def covered(self, pictures: Tensor, places: Tensor) -> Tensor:
        """Pictures with another background, and with something before the face.

        Parameters
        ----------
        pictures : float32, shape (B, 3, s, s), 0 to 1; changed in place.
        places : float32, shape (B, s, s, 2), x and y of each pixel in the sample's own picture, -1 and 1 its edges.
        """
        for name, cover in (("background_shown", _with_background), ("occluder_width", _with_occluder)):
            self._change(pictures, name, lambda some, look, rows, cover=cover: cover(some, look, places[rows]))
        return pictures

    def taken(self, pictures: Tensor) -> Tensor:
        """Pictures in another light, by another camera, as another file.

        Parameters
        ----------
        pictures : float32, shape (B, 3, s, s), 0 to 1; changed in place.
        """
        factors = torch.cat([self["tint"] + self["warmth"], -self["tint"], self["tint"] - self["warmth"]], dim=1).exp()
        pictures.mul_(factors).clamp_(0, 1).pow_(self["gamma"].exp())
        self._change(pictures, "blur", lambda some, look, _: _blurred(some, look["blur"]))
        self._change(pictures, "noise", lambda some, look, _: _noisy(some, look))
        self._change(pictures, "compression", lambda some, look, _: compressed(some, look["compression"]))
        return pictures

    def _change(self, pictures: Tensor, name: str, change: Callable[[Tensor, Look, Tensor], Tensor]) -> None:
        """Change the pictures of which a number is not zero: given these, their look and their rows."""
        rows = np.flatnonzero(self._parameters[:, PARAMETERS.index(name)])
        if len(rows):
            places = torch.from_numpy(rows).to(self._device)
            pictures[places] = change(pictures[places], Look(self._parameters[rows], self._device), places)


def _with_background(pictures: Tensor, look: Look, places: Tensor) -> Tensor:
    """Pictures with the fill outside an ellipse, whose edge is soft."""
    x, y = places[:, None].unbind(-1)  # each (b, 1, s, s)
    distance = torch.hypot(x / look["background_width"], (y - CENTRE_Y) / look["background_height"])
    return torch.lerp(pictures, _fill(look, "background_", x, y), ((distance - 1) / EDGE + 0.5).clamp_(0, 1))


def _with_occluder(pictures: Tensor, look: Look, places: Tensor) -> Tensor:
    """Pictures with the fill in a box or an ellipse."""
    x, y = places[:, None].unbind(-1)
    across = (x - look["occluder_x"]).abs() / look["occluder_width"]
    down = (y - look["occluder_y"]).abs() / look["occluder_height"]
    distance = torch.where(look["occluder_round"] > 0, torch.hypot(across, down), torch.maximum(across, down))
    return torch.where(distance < 1, _fill(look, "occluder_", x, y), pictures)


def _fill(look: Look, of: str, x: Tensor, y: Tensor) -> Tensor:
    """What a background or an occluder looks like at places of the picture, shape (b, 3, s, s)."""
    first, second = (torch.cat([look[of + name] for name in FILL[at : at + 3]], dim=1) for at in (0, 3))
    ramp = 0.5 + 0.35 * (x * look[of + "angle"].cos() + y * look[of + "angle"].sin())
    texture = _shifted(_tile(1, x.device), look[of + "texture_x"], look[of + "texture_y"], x.shape[-1])
    return (torch.lerp(first, second, ramp) + look[of + "texture"] * texture).clamp_(0, 1)


def _noisy(pictures: Tensor, look: Look) -> Tensor:
    """Pictures with grain of each one's own deviation."""
    grain = _shifted(_tile(0, pictures.device), look["noise_x"], look["noise_y"], pictures.shape[-1])
    return torch.addcmul(pictures, look["noise"], grain).clamp_(0, 1)


def _blurred(pictures: Tensor, deviations: Tensor) -> Tensor:
    """Each picture under a Gaussian of its own deviation, a share of the side, shape (b, 1, 1, 1)."""
    batch, channels, _, side = pictures.shape
    radius = ceil(3 * LARGEST_BLUR * side)  # of all views: what a picture becomes does not depend on its batch
    steps = torch.arange(-radius, radius + 1, device=pictures.device)
    weights = (-0.5 * (steps / (deviations.flatten(1) * side)).square()).softmax(dim=1)  # (b, taps)
    weights = weights.repeat_interleave(channels, dim=0).unsqueeze(1)  # (b * C, 1, taps)
    flat = F.pad(pictures, [radius] * 4, mode="reflect").flatten(0, 1).unsqueeze(0)  # (1, b * C, h, w)
    flat = F.conv2d(flat, weights.unsqueeze(2), groups=batch * channels)
    return F.conv2d(flat, weights.unsqueeze(3), groups=batch * channels).view_as(pictures)


@cache
def _tile(slope: int, device: torch.device) -> Tensor:
    """Noise of deviation 1 that goes on at its edges, (3, BASE, BASE): slope 0 white, 1 pink, as scenes are."""
    draws = uniform(slope, np.arange(2 * 3 * BASE**2, dtype=np.uint64)).reshape(2, 3, BASE, BASE)
    white = np.sqrt(-2 * np.log1p(-draws[0])) * np.cos(2 * pi * draws[1])  # Box-Muller
    frequency = np.hypot(np.fft.fftfreq(BASE)[:, None], np.fft.fftfreq(BASE))
    frequency[0, 0] = np.inf if slope else 1
    noise = np.fft.ifft2(np.fft.fft2(white) / frequency**slope).real
    noise = COLOURFUL * noise + (1 - COLOURFUL) * noise.mean(axis=0)
    return torch.from_numpy((noise / noise.std()).astype(np.float32)).to(device)


def _shifted(tile: Tensor, x: Tensor, y: Tensor, side: int) -> Tensor:
    """A tile from places of each picture's own on, in 0..1, brought to a side in pixels, shape (b, 3, side, side)."""
    steps = torch.arange(BASE, device=tile.device)
    columns, rows = ((steps + (BASE * start.flatten(1)).long()) % BASE for start in (x, y))  # (b, BASE)
    noise = tile[:, rows[:, :, None], columns[:, None, :]].transpose(0, 1)  # (b, 3, BASE, BASE)
    return noise if side == BASE else F.interpolate(noise, size=(side, side), mode="area")
