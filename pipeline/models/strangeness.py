"""What is measured of an input to tell whether it is strange, and how far it is from the training inputs; in torch.

Respects, by name: ``features``, the network's pooled features, scaled to length one (Mahalanobis++, Müller and Hein
2025, arXiv:2505.18032); ``layer0`` and so on, the mean of each of its feature maps, as of Lee et al. 2018
(arXiv:1807.03888), since a network that was taught two classes keeps in its last features little else; and ``look``,
which does not depend on the network: of the grey picture that it reads the logarithm of the energy of each frequency of
blocks of 8 x 8 pixels (their discrete cosine transform, as of JPEG), averaged over the blocks, by which Frank et al.
2020 (arXiv:2003.08685) tell generated pictures from photographs.

Departure: pictures are first reduced to about ``SIDE`` pixels. The finer frequencies, which tell most, tell above all
how a picture was resized and compressed: with those of 112 pixels, seven in ten held-out faces whose picture had half
the size were strange, and one in seven saved as JPEG of quality 70; with these none or one in a hundred.

All is tensors and modules: the very same runs beside the network, on its device, and in an exported file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.inputs.views.image import GREY, InputSpec
from pipeline.models import domain
from pipeline.models.domain import Domain, Gaussian
from pipeline.models.features import Inputs, observe

SIDE = 56  # pixels, or somewhat more, of the reduced picture
BLOCK = 8  # pixels of a side
ROUNDING_NOISE = 1 / 12 / 255**2  # energy of rounding to 8 bits: below it there is nothing to be told


class Look(nn.Module):
    """Mean logarithms of the energies of a picture's frequencies, without the lowest, which is its brightness.

    Parameters
    ----------
    specs : what the network reads, by modality: pictures.
    """

    def __init__(self, specs: Mapping[str, InputSpec]):
        super().__init__()
        self._names = tuple(specs)
        for name, spec in specs.items():
            self.register_buffer(name, _kernels(spec))

    def forward(self, inputs: Inputs) -> Tensor:
        """Of a batch as the network reads it, float, (B, C, size, size), by modality where it reads several.

        Returns
        -------
        float, shape (B, 63), of several modalities one after the other.
        """
        pictures = {self._names[0]: inputs} if isinstance(inputs, Tensor) else inputs
        return torch.cat([_energies(pictures[name].float(), getattr(self, name)) for name in self._names], dim=1)


def _energies(pictures: Tensor, kernels: Tensor) -> Tensor:
    """Mean logarithms of the energies of blocks, shape (B, 63)."""
    blocks = F.conv2d(pictures, kernels, stride=kernels.shape[-1])
    return (blocks.square() + ROUNDING_NOISE).log().mean(dim=(2, 3))


def _kernels(spec: InputSpec) -> Tensor:
    """A convolution that undoes the normalisation, makes a picture grey, reduces it and transforms its blocks.

    Returns
    -------
    float32, shape (63, C, 8 k, 8 k): of means of k x k pixels.
    """
    places = torch.arange(BLOCK, dtype=torch.float64)
    waves = torch.cos(torch.pi / BLOCK * (places + 0.5) * places[:, None])  # (frequencies, places)
    waves /= waves.square().sum(dim=1, keepdim=True).sqrt()
    basis = torch.einsum("uy,vx->uvyx", waves, waves).flatten(0, 1)[1:]  # (63, 8, 8)
    channels = len(spec.std)
    grey = torch.tensor(GREY if channels == len(GREY) else [1 / channels] * channels, dtype=torch.float64)
    scale = grey * torch.tensor(spec.std, dtype=torch.float64)
    factor = max(1, spec.size // SIDE)
    reduced = basis.repeat_interleave(factor, dim=1).repeat_interleave(factor, dim=2) / factor**2
    return (reduced[:, None] * scale.view(1, -1, 1, 1)).float()


class Respects(nn.Module):
    """What is measured of an input, by respect.

    Parameters
    ----------
    specs : what the network reads, by modality: pictures.
    """

    def __init__(self, specs: Mapping[str, InputSpec]):
        super().__init__()
        self.look = Look(specs)

    def forward(self, inputs: Inputs, observed: Mapping[str, Any]) -> dict[str, Tensor]:
        """Of a batch, and as far as they are there its ``hidden`` features and ``layers``, as ``observe`` gives them.

        Returns
        -------
        float32, each of shape (B, D), D by respect.
        """
        features = {domain.FEATURES: F.normalize(observed["hidden"].float(), dim=1)} if "hidden" in observed else {}
        layers = {f"{domain.LAYER}{number}": one.float() for number, one in enumerate(observed.get("layers", ()))}
        return {**features, **layers, domain.LOOK: self.look(inputs)}


class Distance(nn.Module):
    """Mahalanobis distance from a Gaussian."""

    def __init__(self, gaussian: Gaussian):
        super().__init__()
        for name in ("mean", "directions", "variances", "rest"):
            self.register_buffer(name, torch.from_numpy(getattr(gaussian, name)))

    def forward(self, numbers: Tensor) -> Tensor:
        """Of inputs in one respect, float32, shape (B, D): float32, shape (B,)."""
        centred = numbers - self.mean
        along = centred @ self.directions.T
        across = centred - along @ self.directions
        return ((along.square() / self.variances).sum(dim=1) + across.square().sum(dim=1) / self.rest).sqrt()


class Distances(nn.Module):
    """Distances from the Gaussians of several respects."""

    def __init__(self, gaussians: Mapping[str, Gaussian]):
        super().__init__()
        self.of = nn.ModuleDict({name: Distance(one) for name, one in gaussians.items()})

    def forward(self, measured: Mapping[str, Tensor]) -> Tensor:
        """Of what ``Respects`` gives of a batch: float32, shape (B, R), by respect in the order of the Gaussians."""
        return torch.stack([distance(measured[name]) for name, distance in self.of.items()], dim=1)


class Strangeness(nn.Module):
    """How strange inputs are to a network, by a domain.

    Parameters
    ----------
    around : what its training inputs look like.
    specs : what it reads, by modality: pictures.
    """

    def __init__(self, around: Domain, specs: Mapping[str, InputSpec]):
        super().__init__()
        self.respects, self.distances = Respects(specs), Distances(around.gaussians)
        weights = np.concatenate([one.weight for one in around.gaussians.values()])
        self.register_buffer("weights", torch.from_numpy(weights))
        self.register_buffer("threshold", torch.from_numpy(around.threshold))

    def forward(self, inputs: Inputs, observed: Mapping[str, Any]) -> Tensor:
        """How strange each input of a batch is, of which the network gives this, as of ``Respects``.

        Returns
        -------
        float32, shape (B,), 1 at the threshold, more beyond it.
        """
        logarithms = self.distances(self.respects(inputs, observed)).clamp_min(domain.TINY).log()
        return (logarithms * self.weights).sum(dim=1).exp() / self.threshold


class Judged(nn.Module):
    """A network that says of each input how strange it is, too.

    Parameters
    ----------
    network : in evaluation mode.
    around, specs : as of ``Strangeness``.
    """

    def __init__(self, network: nn.Module, around: Domain, specs: Mapping[str, InputSpec]):
        super().__init__()
        self.network, self.strangeness = network, Strangeness(around, specs)
        self._kinds = ("tokens", *kinds(around.gaussians))

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Raw outputs of a batch, float32, shape (B, C), and how strange its inputs are, float32, shape (B,)."""
        observed = observe(self.network, inputs, self._kinds)
        (raw,) = observed["tokens"]
        return raw.float(), self.strangeness(inputs, observed)


def kinds(respects: Iterable[str]) -> tuple[str, ...]:
    """What is to be observed of a network for some respects."""
    needed = {"hidden": domain.FEATURES, "layers": domain.LAYER}
    return tuple(kind for kind, name in needed.items() if any(one.startswith(name) for one in respects))
