"""Why a network answers as it does: of one input its heat maps by one or several methods, side by side in a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from pipeline.errors import ConfigError
from pipeline.serving.annotate import PAD, font_of
from pipeline.serving.answers import Answer, shown
from pipeline.serving.colors import STRIP, letters
from pipeline.serving.heat_maps import ALL_POINTS, check_methods, default_method, fitting, heat_maps, overlay
from pipeline.serving.network import Network

LEAST_SIDE = 192  # pixels of a face in the picture; a smaller one is enlarged, so that there is room to write
LETTERS = 14
WHOLE = "all points"

# By kind, of the values of one answer: the number of the output that is explained where none is named.
CALLED = {
    "classify": lambda values: int(values.argmax()),
    "multilabel": lambda values: int(values.argmax()),
    "regress": lambda values: 0,
    "points": lambda values: ALL_POINTS,
}


@dataclass(frozen=True)
class Explanation:
    """What an answer rests on.

    Parameters
    ----------
    output : the name of what is explained.
    value : its probability, or the number; NaN of points.
    maps : by method, float32, shape (S, S).
    """

    output: str
    value: float
    maps: Mapping[str, np.ndarray]

    def picture(self, image: np.ndarray) -> Image.Image:
        """The input, uint8, shape (S, S, 3), and beside it each map over it, with words above them."""
        side = max(LEAST_SIDE, len(image))
        drawn = [image, *(overlay(image, heat) for heat in self.maps.values())]
        value = "" if np.isnan(self.value) else f" {self.value:.3g}"
        font = font_of(LETTERS)
        height = sum(font.getmetrics()) + 2 * PAD
        strip = Image.new("RGB", (side * len(drawn), side + height), STRIP)
        pen = ImageDraw.Draw(strip)
        for number, (part, text) in enumerate(zip(drawn, (f"{shown(self.output)}{value}", *self.maps), strict=True)):
            strip.paste(Image.fromarray(part).resize((side, side), Image.Resampling.BICUBIC), (number * side, height))
            pen.text((number * side + PAD, PAD), text, font=font, fill=letters(STRIP))
        return strip


class Explainer:
    """A network with the methods and the output that its answers are explained by.

    Parameters
    ----------
    network : the network.
    method : a method, ``auto`` or ``all``, as of ``ExplainConfig``.
    output : the name of an output; empty: what is answered.

    Attributes
    ----------
    methods : of the maps, in their order.

    Raises
    ------
    ConfigError : the network reads no pictures of one camera, the method does not fit it, or it has no such output.
    """

    def __init__(self, network: Network, method: str, output: str):
        several = {"auto": lambda: (default_method(network),), "all": lambda: fitting(network)}
        self.methods: Sequence[str] = several.get(method, lambda: (method,))()
        check_methods(network, self.methods)
        names = network.task["outputs"]
        if output and output not in names:
            raise ConfigError(f"OUTPUT={output} is none of what the model answers. Choose one: {', '.join(names)}")
        self._network, self._names = network, names
        self._output = names.index(output) if output else None

    def explained(self, image: np.ndarray, answer: Answer) -> Explanation:
        """What the answer to one input rests on, or what speaks for the named output.

        Parameters
        ----------
        image : uint8, shape (S, S, channels), as the network reads it.
        """
        kind, each = self._network.task["kind"], len(self._network.names) // len(self._names)  # of a point two numbers
        number = CALLED[kind](answer.values) if self._output is None else self._output * each
        (modality,) = self._network.reads
        maps = {
            method: heat_maps(self._network, {modality: np.stack([image])}, [number], method)[0]
            for method in self.methods
        }
        value = answer.values[number] if each == 1 else float("nan")
        return Explanation(WHOLE if number < 0 else self._names[number // each], float(value), maps)
