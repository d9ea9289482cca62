"""How a frame becomes what networks read, as the card of every network that read such says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact

STAGE = "resize"
VERSION = 1  # the stage's: another one makes other pixels, or another file, of the same frames
FILTERS = ("stretch", "clahe", "median", "minmax")
LAST = "minmax"  # it is taken of what is resized
EXAMPLE = "FILTERS=stretch,clahe,median"

Scale = Mapping[str, list[float]]  # ``mean`` and ``std`` of each channel


@dataclass(frozen=True)
class Preparation:
    """The settings of ``resize``, as ``ResizeConfig`` explains them, and what they made of the dataset.

    Parameters
    ----------
    frame_size : side of a frame in pixels.
    filters : names of steps, in their order.
    scales : by modality (``rgb``, ``ir``) the ``mean`` and ``std`` of each channel over all prepared frames, in 0..1.
    """

    frame_size: int
    filters: tuple[str, ...]
    scales: Mapping[str, Scale]

    @classmethod
    def of(cls, config: Mapping[str, Any], scales: Mapping[str, Scale]) -> Preparation:
        """What of a resize config (the fields of ``ResizeConfig``, as a record holds them) makes the frames.

        Parameters
        ----------
        scales : what the frames settled.

        Raises
        ------
        ConfigError : the config names a filter that there is not.
        """
        return cls(config["frame_size"], filters_of(config["filters"]), _plain(scales))

    @classmethod
    def of_inputs(cls, inputs: Artifact) -> Preparation:
        """How an artifact of ``resize`` was prepared."""
        return cls.of(inputs.config, inputs.summary["scales"])

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Preparation:
        """How a card says it, which may say more."""
        return cls(entry["frame_size"], tuple(entry["filters"]), _plain(entry["scales"]))


def _plain(scales: Mapping[str, Scale]) -> dict[str, dict[str, list[float]]]:
    """Scales without what a record or a card adds to them."""
    return {modality: {name: list(scale[name]) for name in ("mean", "std")} for modality, scale in scales.items()}


def filters_of(text: str) -> tuple[str, ...]:
    """The names between commas, in their order.

    Raises
    ------
    ConfigError : one is no filter, stands twice, or follows the one that must be the last.
    """
    names = tuple(name.strip().lower() for name in text.split(",") if name.strip())
    for name in names:
        if name not in FILTERS:
            near = get_close_matches(name, FILTERS)
            raise ConfigError(
                f"FILTERS={text}: {name} is no filter"
                + (f", is it {' or '.join(near)}?" if near else ".")
                + f" There are {', '.join(FILTERS)}: {EXAMPLE}"
            )
    if len(set(names)) < len(names):
        raise ConfigError(f"FILTERS={text} names one filter twice. Name each once: {EXAMPLE}")
    if LAST in names[:-1]:
        raise ConfigError(f"FILTERS={text}: {LAST} is taken of the resized frame and comes last: {EXAMPLE},{LAST}")
    return names
