"""What is measured of an input to tell whether it is strange, and how far it is from the training inputs; in torch.

Two respects, by their names in ``domain.RESPECTS``. ``features`` are the network's pooled features, scaled to length
one (Mahalanobis++, Müller and Hein 2025, arXiv:2505.18032). A network may have learned to overlook by what photographs
differ from rendered faces, so ``look`` does not depend on it: of the grey picture that it reads the logarithm of the
energy of each frequency of blocks of 8 x 8 pixels (their discrete cosine transform, as of JPEG), averaged over the
blocks, by which Frank et al. 2020 (arXiv:2003.08685) tell generated pictures from photographs.

All is tensors and modules: the very same runs beside the network, on its device, and in an exported file.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pipeline.inputs.views.image import GREY, InputSpec
from pipeline.models.domain import Domain, Gaussian
from pipeline.models.features import Inputs, observe

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
        blocks = [F.conv2d(pictures[name].float(), getattr(self, name), stride=BLOCK) for name in self._names]
        return torch.cat([(one.square() + ROUNDING_NOISE).log().mean(dim=(2, 3)) for one in blocks], dim=1)


def _kernels(spec: InputSpec) -> Tensor:
    """A convolution that undoes the normalisation, makes a picture grey and transforms its blocks: (63, C, 8, 8)."""
    places = torch.arange(BLOCK, dtype=torch.float64)
    waves = torch.cos(torch.pi / BLOCK * (places + 0.5) * places[:, None])  # (frequencies, places)
    waves /= waves.square().sum(dim=1, keepdim=True).sqrt()
    basis = torch.einsum("uy,vx->uvyx", waves, waves).flatten(0, 1)[1:]  # (63, 8, 8)
    channels = len(spec.std)
    grey = torch.tensor(GREY if channels == len(GREY) else [1 / channels] * channels, dtype=torch.float64)
    scale = grey * torch.tensor(spec.std, dtype=torch.float64)
    return (basis[:, None] * scale.view(1, -1, 1, 1)).float()


class Respects(nn.Module):
    """The numbers of an input that are compared, by respect.

    Parameters
    ----------
    specs : what the network reads, by modality: pictures.
    """

    def __init__(self, specs: Mapping[str, InputSpec]):
        super().__init__()
        self.look = Look(specs)

    def forward(self, inputs: Inputs, features: Tensor | None) -> dict[str, Tensor]:
        """Of a batch and the network's pooled features of it, shape (B, D); of a network without them the look alone.

        Returns
        -------
        float32, shapes (B, D) and (B, 63).
        """
        measured = {} if features is None else {"features": F.normalize(features.float(), dim=1)}
        return {**measured, "look": self.look(inputs)}


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


class Strangeness(nn.Module):
    """How strange inputs are to a network, by a domain.

    Parameters
    ----------
    domain : what its training inputs look like.
    specs : what it reads, by modality: pictures.
    """

    def __init__(self, domain: Domain, specs: Mapping[str, InputSpec]):
        super().__init__()
        self.respects = Respects(specs)
        self.distance = nn.ModuleDict({name: Distance(one) for name, one in domain.items()})
        self.register_buffer("thresholds", torch.from_numpy(np.concatenate([one.threshold for one in domain.values()])))

    def distances(self, measured: Mapping[str, Tensor]) -> Tensor:
        """Of what ``respects`` gives of a batch: float32, shape (B, R), by respect in the order of the domain."""
        return torch.stack([distance(measured[name]) for name, distance in self.distance.items()], dim=1)

    def forward(self, inputs: Inputs, features: Tensor | None) -> Tensor:
        """How strange each input of a batch is, of which these are the network's pooled features, shape (B, D).

        Returns
        -------
        float32, shape (B,), 1 at the threshold, more beyond it.
        """
        return (self.distances(self.respects(inputs, features)) / self.thresholds).amax(dim=1)


class Judged(nn.Module):
    """A network that says of each input how strange it is, too.

    Parameters
    ----------
    network : in evaluation mode.
    domain, specs : as of ``Strangeness``.
    """

    def __init__(self, network: nn.Module, domain: Domain, specs: Mapping[str, InputSpec]):
        super().__init__()
        self.network, self.strangeness = network, Strangeness(domain, specs)
        self._kinds = ("tokens", "hidden") if "features" in domain else ("tokens",)

    def forward(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """Raw outputs of a batch, float32, shape (B, C), and how strange its inputs are, float32, shape (B,)."""
        observed = observe(self.network, inputs, self._kinds)
        (raw,) = observed["tokens"]
        return raw.float(), self.strangeness(inputs, observed.get("hidden"))
