"""Skin as a painted canvas: tone, blotches, freckles, brows, beard, and the wrinkles that expressions press in.

The canvas covers the base mesh seen from the front (x and y of `HeadModel.rest`), so whatever is painted
moves with the mesh. Colours are linear light, heights centimetres.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

from pipeline.synth.identity import Identity

HALF_WIDTH, TOP, BOTTOM = 9.0, 13.0, -13.0
PIXELS_PER_CM = 28
HEIGHT, WIDTH = int((TOP - BOTTOM) * PIXELS_PER_CM), int(2 * HALF_WIDTH * PIXELS_PER_CM)


def srgb_to_linear(colour) -> np.ndarray:
    """sRGB 0-255 to linear light 0-1."""
    value = np.asarray(colour, np.float32) / 255
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4).astype(np.float32)


@lru_cache(maxsize=1)
def grid() -> tuple[np.ndarray, np.ndarray]:
    """x and y in centimetres at the centres of the canvas's pixels."""
    x = (np.arange(WIDTH, dtype=np.float32) + 0.5) / PIXELS_PER_CM - HALF_WIDTH
    y = TOP - (np.arange(HEIGHT, dtype=np.float32) + 0.5) / PIXELS_PER_CM
    return np.meshgrid(x, y)


def sample(canvas: np.ndarray, rest: np.ndarray) -> np.ndarray:
    """Bilinear look-up of a canvas (HEIGHT, WIDTH, C) at base-mesh positions (P, 3); edges extend."""
    x = np.clip((rest[:, 0] + HALF_WIDTH) * PIXELS_PER_CM - 0.5, 0, WIDTH - 1.001)
    y = np.clip((TOP - rest[:, 1]) * PIXELS_PER_CM - 0.5, 0, HEIGHT - 1.001)
    column, row = x.astype(np.int64), y.astype(np.int64)
    right, down = (x - column)[:, None], (y - row)[:, None]
    flat = canvas.reshape(-1, canvas.shape[-1])
    index = row * WIDTH + column
    top = flat[index] * (1 - right) + flat[index + 1] * right
    return top * (1 - down) + (flat[index + WIDTH] * (1 - right) + flat[index + WIDTH + 1] * right) * down


def noise(rng: np.random.Generator, scale_cm: float) -> np.ndarray:
    """Smooth noise over the canvas with zero mean, unit deviation and blobs of about scale_cm."""
    step = scale_cm * PIXELS_PER_CM
    small = rng.standard_normal((int(HEIGHT / step) + 4, int(WIDTH / step) + 4)).astype(np.float32)
    rows = np.linspace(1, small.shape[0] - 3, HEIGHT, dtype=np.float32)
    columns = np.linspace(1, small.shape[1] - 3, WIDTH, dtype=np.float32)
    image = Image.fromarray(small).resize((WIDTH, HEIGHT), Image.BICUBIC) if step >= 1 else None
    field = np.asarray(image) if image is not None else small[rows.astype(int)][:, columns.astype(int)]
    return (field - field.mean()) / (field.std() + 1e-6)


def _blob(cx: float, cy: float, rx: float, ry: float) -> np.ndarray:
    """A Gaussian blob and its mirror image."""
    x, y = grid()
    return np.exp(-(((np.abs(x) - cx) / rx) ** 2) - ((y - cy) / ry) ** 2)


def smooth_step(value: np.ndarray, low: float, high: float) -> np.ndarray:
    """0 up to low, 1 from high on, and a smooth cubic between."""
    t = np.clip((value - low) / (high - low), 0, 1)
    return t * t * (3 - 2 * t)


def paint(person: Identity) -> np.ndarray:
    """The face's colour, float32 (HEIGHT, WIDTH, 4): linear RGB albedo, and gloss 0-1."""
    rng = np.random.default_rng((person.seed, 1))
    tone = srgb_to_linear(person.skin_srgb)
    darkness = 1 - float(tone.mean()) / 0.75
    canvas = np.empty((HEIGHT, WIDTH, 4), np.float32)
    blotch = 0.6 * noise(rng, 1.6) + 0.4 * noise(rng, 0.5)
    fine = noise(rng, 0.09)
    x, y = grid()
    inner = (
        smooth_step(y, BOTTOM + 0.2, BOTTOM + 3)
        * smooth_step(TOP - y, 0.2, 3)
        * smooth_step(HALF_WIDTH - np.abs(x), 0.5, 3)
    )
    shade = 1 + inner * (0.035 * blotch + (0.03 + 0.025 * person.grey) * fine)
    canvas[..., :3] = tone * shade[..., None]
    _flush(canvas, person, blotch, darkness)
    _spots(canvas, person, rng)
    _eye_rings(canvas, person)
    if person.beard:
        _paint_beard(canvas, person, rng)
    _paint_brows(canvas, person, rng)
    canvas[..., 3] = np.clip(0.35 + 0.35 * _blob(0, 5, 3, 2) + 0.4 * _blob(0, -2.5, 0.9, 1.8) + 0.03 * fine, 0, 1)
    return canvas


def _flush(canvas, person, blotch, darkness) -> None:
    """Blood: cheeks, nose, chin and the rims of the eyes are redder than the rest."""
    red = _blob(3.7, -3.0, 1.9, 1.5) + 0.9 * _blob(0, -3.3, 1.2, 1.0) + 0.35 * _blob(0, -9.5, 1.3, 0.8)
    red = red * (1 + 0.25 * blotch) * person.redness * (1 - 0.6 * np.clip(darkness, 0, 1))
    red += 0.5 * _blob(3.2, 0.0, 1.9, 0.75)
    for channel, amount in enumerate((0.03, -0.2, -0.17)):
        canvas[..., channel] *= 1 + amount * red


def _spots(canvas, person, rng) -> None:
    """Freckles of the young, age spots of the old, a mole or two."""
    freckles = smooth_step(noise(rng, 0.1), 1.3, 2.2) * _blob(1.8, -1.8, 3.2, 1.8) * person.freckles
    spots = smooth_step(noise(rng, 0.35), 1.7, 2.4) * person.grey * 0.7
    x, y = grid()
    moles = np.zeros_like(x)
    for _ in range(int(rng.integers(0, 4))):
        cx, cy = rng.uniform(-5, 5), rng.uniform(-9, 4)
        moles += np.exp(-((x - cx) ** 2 + (y - cy) ** 2) / rng.uniform(0.05, 0.1) ** 2)
    brown = np.clip(0.5 * freckles + 0.35 * spots + 0.7 * moles, 0, 0.8)
    canvas[..., :3] *= 1 - brown[..., None] * np.float32([0.45, 0.62, 0.72])


def _eye_rings(canvas, person) -> None:
    """Thin, darker skin round the eyes and a dark line where the lashes grow."""
    ring = _blob(3.0, -0.7, 1.5, 0.7) * (0.16 + 0.2 * person.grey) + 0.2 * _blob(3.1, 0.75, 1.5, 0.5)
    canvas[..., :3] *= 1 - ring[..., None] * np.float32([0.75, 1.0, 0.85])


def _paint_beard(canvas, person, rng) -> None:
    x, y = grid()
    ax = np.abs(x)
    jaw = smooth_step(ax * 0.9 - y, 7.4, 9.0) * smooth_step(-y - 0.5 * ax, -1.0, 1.5)
    moustache = np.exp(-(((ax - 1.0) / 1.9) ** 4) - ((y + 5.35) / 0.62) ** 2)
    under_lip = np.exp(-((ax / 0.7) ** 2) - ((y + 8.5) / 0.5) ** 2)
    # The line from the moustache's ends to the chin leaves the cheeks free.
    region = np.clip(np.maximum(jaw * smooth_step(-y + 0.35 * ax, 4.6, 6.4), np.maximum(moustache, under_lip)), 0, 1)
    lips = np.exp(-((ax / 2.6) ** 6) - (((y + 6.85) / 1.0) ** 6))
    region *= (1 - lips) * smooth_step(y, -11.3, -9.9)
    grain = 0.9 + 0.11 * noise(rng, 0.05) + 0.07 * noise(rng, 0.4)
    strength = region * grain * (0.14 + 0.76 * person.beard**1.4)
    hair = 0.9 * srgb_to_linear(person.hair_srgb) + 0.004
    canvas[..., :3] += (hair - canvas[..., :3]) * np.clip(strength, 0, 0.9)[..., None]


def _paint_brows(canvas, person, rng) -> None:
    """Brows as some hundred short strokes along an arch, soft underneath."""
    factor = 2
    image = Image.new("L", (WIDTH * factor, HEIGHT * factor))
    draw = ImageDraw.Draw(image)
    lift, arch = rng.uniform(-0.12, 0.15), rng.uniform(0.0, 0.4)
    scale = PIXELS_PER_CM * factor
    for side in (-1, 1):
        for along in rng.uniform(0, 1, int(520 * person.brow_density)):
            cx = 1.0 + 4.0 * along
            ridge = (
                1.68
                + lift
                + 0.35 * np.sin(np.pi * min(along * 0.85, 1))
                + arch * np.exp(-(((along - 0.62) / 0.25) ** 2))
            )
            ridge -= 0.75 * max(along - 0.62, 0) / 0.38
            half = person.brow_width * (0.36 * (1 - along**2.2) + 0.05) * min(1, 0.55 + along * 3)
            cy = ridge + half * rng.uniform(-1, 1)
            slope = np.radians(rng.normal(62 - 66 * min(along * 1.8, 1.1), 10))
            length = rng.uniform(0.25, 0.45)
            start = ((side * cx + HALF_WIDTH) * scale, (TOP - cy) * scale)
            dx, dy = side * np.cos(slope) * length * scale, -np.sin(slope) * length * scale
            draw.line([start, (start[0] + dx, start[1] + dy)], fill=int(rng.uniform(150, 250)), width=3)
    strokes = np.asarray(image.resize((WIDTH, HEIGHT), Image.BOX), np.float32) / 255
    alpha = np.clip(0.8 * strokes + 0.9 * ndimage.gaussian_filter(strokes, 3.0), 0, 0.93) * (
        0.55 + 0.45 * min(person.brow_density, 1)
    )
    dark = np.minimum(person.hair_srgb, np.float32([120, 98, 82]))
    hair = np.minimum(srgb_to_linear(dark) * 0.7, 0.4 * srgb_to_linear(person.skin_srgb)) + 0.003
    canvas[..., :3] += (hair - canvas[..., :3]) * alpha[..., None]
