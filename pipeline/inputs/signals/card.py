"""How a recording becomes a window that networks read, as the card of every network that read such says it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from pipeline.errors import ConfigError
from pipeline.fields import MOST_CHANNELS, MOST_SECONDS, MOST_STEPS

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact

STAGE = "window"
VERSION = 1  # the stage's: another one makes other windows, or another file, of the same recordings


@dataclass(frozen=True)
class Preparation:
    """The settings of ``window``, as ``WindowConfig`` explains them; two that are equal make equal windows.

    Parameters
    ----------
    channels : names, in the order in which networks read them.
    rate_hz : steps a second.
    steps : of every window: shorter ones are filled up with NaN, longer ones are cut.
    smooth_window, smooth_order : of Savitzky-Golay's filter.
    outliers : standard deviations.
    scaling : one of ``SCALINGS`` of ``pipeline.inputs.signals.clean``.
    """

    channels: tuple[str, ...]
    rate_hz: float
    steps: int
    smooth_window: int
    smooth_order: int
    outliers: float
    scaling: str

    @classmethod
    def of(cls, config: Mapping[str, Any], rate_hz: float, steps: int) -> Preparation:
        """What of a window config (the fields of ``WindowConfig``, as a record holds them) makes the windows.

        Parameters
        ----------
        rate_hz, steps : what the recordings settled where the config leaves it to them.

        Raises
        ------
        ConfigError : the config names no channel, or asks for a filter that there is not, or for windows so long that
            no network reads them.
        """
        if steps > MOST_STEPS:
            seconds = min(MOST_SECONDS, int(MOST_STEPS / rate_hz))
            raise ConfigError(
                f"The longest window has {steps:,} steps at {rate_hz:g} Hz, at most {MOST_STEPS:,} are possible. "
                f"Cut it, SECONDS={seconds:g}, or give fewer steps a second: RATE_HZ="
            )
        named = {field.name: config[field.name] for field in fields(cls) if field.name in config}
        check_filter(named["smooth_window"], named["smooth_order"])
        return cls(**{**named, "channels": channels_of(config["channel"]), "rate_hz": rate_hz, "steps": steps})

    @classmethod
    def of_inputs(cls, inputs: Artifact) -> Preparation:
        """How an artifact of ``window`` was prepared."""
        return cls.of(inputs.config, inputs.summary["rate_hz"], inputs.summary["steps"])

    @classmethod
    def of_entry(cls, entry: Mapping[str, Any]) -> Preparation:
        """How a card says it, which may say more."""
        named = {field.name: entry[field.name] for field in fields(cls)}
        return cls(**{**named, "channels": tuple(named["channels"])})


def channels_of(text: str) -> tuple[str, ...]:
    """The names between commas, in their order.

    Raises
    ------
    ConfigError : there is none, one twice, or more than anybody records.
    """
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    fault = ""
    if not names or len(names) > MOST_CHANNELS:
        fault = f"names {len(names)} channels, from 1 to {MOST_CHANNELS} are possible"
    elif len(set(names)) < len(names):
        fault = "names one channel twice"
    if fault:
        raise ConfigError(f"CHANNEL={text} {fault}. Give one, or several with commas: CHANNEL=gsr,ecg")
    return names


def check_filter(window: int, order: int) -> None:
    """Refuse what is no filter of Savitzky and Golay.

    Raises
    ------
    ConfigError : the neighbourhood has no middle, or too few steps for the polynomial.
    """
    if window % 2 == 0:
        raise ConfigError(
            f"SMOOTH_WINDOW={window} has no step in its middle. Give an odd number, such as {window + 1}; 1: none."
        )
    if window > 1 and order >= window:
        raise ConfigError(
            f"SMOOTH_ORDER={order} needs a neighbourhood of more steps than SMOOTH_WINDOW={window}. "
            f"Give SMOOTH_WINDOW={order + 1 + order % 2} or more, or a smaller SMOOTH_ORDER."
        )
