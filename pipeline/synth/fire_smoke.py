"""Frames of a drone over a landscape, in colour and in infrared, with the truth: is there fire, is there smoke?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import ndimage

from pipeline.synth.clips import FRAMES, VIEW, Clip, clip
from pipeline.synth.flames import BLOOM_PX, BURNING, GLOW_PX, GLOW_SRGB, flame_colour, glare_layer, heat, thermal
from pipeline.synth.noise import blended, box, looked_up
from pipeline.synth.plumes import SMOKES, VEILS, plume_layer, veil_alpha
from pipeline.synth.truth import save_picture

HEIGHT = 112
COVERED = 0.6  # share of a pixel above which crowns or smoke hide what burns there
SMOKY = 0.25  # opacity from which a pixel counts as covered by smoke
HAZE = (0.74, 0.79, 0.84)
FRAMES_TABLE = "frames.csv"


@dataclass(frozen=True)
class Plan:
    """What pair of pictures `number` of a set shows; it depends on nothing but (seed, number)."""

    seed: int
    number: int

    @property
    def clip(self) -> Clip:
        return clip(self.seed, self.number // FRAMES)

    @property
    def frame(self) -> int:
        return self.number % FRAMES

    @property
    def id(self) -> str:
        return f"{clip_id(self.number // FRAMES)}_{self.frame:02d}"

    @property
    def file(self) -> str:
        return f"rgb/{self.id}.jpg"

    @property
    def infrared(self) -> str:
        return f"ir/{self.id}.jpg"


def clip_id(number: int) -> str:
    """The name of a clip; its letter keeps tables from reading it as a number."""
    return f"c{number:04d}"


@dataclass(frozen=True)
class Frame:
    """One moment of a clip.

    Attributes
    ----------
    rgb : uint8 (height, height, 3).
    infrared : uint8 (height, height).
    heat, canopy, smoke : 0-1, float (height, height): of fires, how far crowns cover the ground, opacity of smoke.
    """

    rgb: np.ndarray
    infrared: np.ndarray
    heat: np.ndarray
    canopy: np.ndarray
    smoke: np.ndarray

    @property
    def burning(self) -> np.ndarray:
        return self.heat > BURNING


def paint_frame(scene: Clip, number: int, height: int = HEIGHT) -> Frame:
    """Frame `number` of a clip, painted at twice its height."""
    x, y = scene.flight.grid(number, 2 * height)
    land = scene.landscape
    canopy = looked_up(land.canopy, x, y)
    burning = scene.fire and number >= scene.fire_from
    hot = heat(scene.fire, x, y, number) if burning else np.zeros_like(x)
    rgb, smoke = _colours(scene, number, x, y, hot * (1 - canopy))
    hot, canopy = box(hot), box(canopy)
    return Frame(
        _exposed(rgb, np.random.default_rng((scene.seed, scene.number, 79, number))),
        _thermal(scene, number, box(looked_up(land.temperature_c, x, y)) - land.daylight.air_c, hot, canopy),
        hot,
        canopy,
        box(smoke),
    )


def _colours(scene: Clip, number: int, x: np.ndarray, y: np.ndarray, flames: np.ndarray):
    """What the camera sees at places of the map, float (rows, columns, 3), and the opacity of smoke there."""
    land, tint = scene.landscape, np.float32(scene.landscape.daylight.tint)
    rgb = np.stack([looked_up(land.colour[..., channel], x, y) for channel in range(3)], -1)
    if scene.glare:
        level, colour = glare_layer(scene.glare, x, y, number)
        rgb = blended(rgb, colour, level)
    glow = ndimage.gaussian_filter(flames, GLOW_PX * len(x) / VIEW)
    rgb = rgb + np.float32(GLOW_SRGB) * np.float32(glow)[..., None]
    rgb = blended(rgb, flame_colour(flames), np.minimum(1, 1.8 * flames))
    if scene.dust:
        alpha, colour = plume_layer(scene.dust, x, y, number)
        rgb = blended(rgb, colour * tint, alpha)
    smoke = np.zeros_like(x)
    if scene.smoke and number >= scene.smoke_from:
        smoke, colour = plume_layer(scene.smoke, x, y, number)
        rgb = blended(rgb, colour * tint, smoke)
    if scene.veil:
        rgb = blended(rgb, np.float32(VEILS[scene.veil.kind]) * tint, veil_alpha(scene.veil, x, y, number))
    return blended(rgb, np.float32(HAZE) * tint, np.full_like(x, land.daylight.haze)), smoke


def _exposed(rgb: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The camera's picture, half as high, with its noise; uint8."""
    picture = box(rgb)
    picture = picture + rng.normal(0, 0.008, picture.shape)
    return np.uint8(np.clip(picture, 0, 1) * 255 + 0.5)


def _thermal(scene: Clip, number: int, above_air_c: np.ndarray, hot: np.ndarray, canopy: np.ndarray) -> np.ndarray:
    """The thermal camera's picture with its gain, blur and noise; uint8."""
    rng = np.random.default_rng((scene.seed, scene.number, 80, number))
    scale = len(hot) / HEIGHT
    levels = thermal(above_air_c, hot, canopy, BLOOM_PX * scale)
    levels = scene.gain * ndimage.gaussian_filter(levels, 0.5 * scale) + scene.offset + rng.normal(0, 0.006, hot.shape)
    return np.uint8(np.clip(levels, 0, 1) * 255 + 0.5)


def truth_row(what: Plan, scene: Clip, frame: Frame) -> dict:
    """What is true of a pair of pictures; shares are of the picture, `fire_visible` of what burns in it."""
    burning = frame.burning
    hidden = 1 - (1 - frame.canopy) * (1 - frame.smoke) > COVERED
    smoke_kind = next((name for name, colour in SMOKES.items() if scene.smoke and scene.smoke.colour == colour), "none")
    smoky = bool(scene.smoke) and what.frame >= scene.smoke_from
    return {
        "file": what.file,
        "region": "full",
        "id": what.id,
        "clip": clip_id(scene.number),
        "frame": what.frame,
        "fire": int(burning.any()),
        "smoke": int(smoky and (frame.smoke > SMOKY).any()),
        "fires": int(ndimage.label(burning)[1]),
        "fire_share": round(float(burning.mean()), 5),
        "fire_visible": round(float((burning & ~hidden).sum() / max(1, burning.sum())), 3),
        "canopy_over_fire": round(float(frame.canopy[burning].mean()) if burning.any() else 0.0, 3),
        "smoke_share": round(float((frame.smoke > SMOKY).mean()), 4),
        "smoke_kind": smoke_kind if smoky else "none",
        "country": scene.landscape.country,
        "daylight": scene.landscape.daylight.hour,
        "sun_deg": round(scene.landscape.daylight.elevation_deg, 1),
        "air_c": round(scene.landscape.daylight.air_c, 1),
        "decoys": "+".join(scene.decoys) or "none",
    }


def save_frames(what: Plan, path: Path, height: int, quality: int) -> dict:
    """Write the colour picture at `path`, the infrared one in the folder beside its own; returns their row."""
    frame = paint_frame(what.clip, what.frame, height)
    save_picture(frame.infrared, path.parents[1] / what.infrared, quality)
    save_picture(frame.rgb, path, quality)
    return truth_row(what, what.clip, frame)


def frames_table(truth: pd.DataFrame) -> pd.DataFrame:
    """The table that a dataset is read from: pictures, relative to the set, their labels and their clip."""
    infrared = truth.file.str.replace("rgb/", "ir/", n=1)
    columns = {"id": truth.id, "rgb_frame": truth.file, "ir_frame": infrared}
    return pd.DataFrame({**columns, **{name: truth[name] for name in ("fire", "smoke", "clip")}})
