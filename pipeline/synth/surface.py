"""What each pixel of the bust is made of: skin, lips, clothes, teeth, tongue and eyes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.synth import skin as skin_canvas
from pipeline.synth.camera import Camera
from pipeline.synth.geometry import EYES, SKIN, TEETH, TONGUE, Bust
from pipeline.synth.hair import STYLES, above_hairline
from pipeline.synth.identity import Identity
from pipeline.synth.masks import Masks
from pipeline.synth.raster import Hits
from pipeline.synth.skin import srgb_to_linear
from pipeline.synth.textures import texture
from pipeline.synth.vectors import dot, unit

IRIS_CM, PUPIL_CM = 0.6, 0.23


@dataclass(frozen=True)
class Look:
    """A person's surface: skin canvas (`skin.paint`), furrows (`wrinkles.wrinkle`), and where the eyes look,
    unit vectors (2, 3), the picture's left eye first."""

    person: Identity
    canvas: np.ndarray
    furrows: np.ndarray
    gaze: np.ndarray


@dataclass
class Surface:
    """Values per covered pixel, in the order of `Hits.flat`; float32, colours linear, lengths in centimetres."""

    position: np.ndarray
    normal: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    part: np.ndarray
    dim: np.ndarray  # 0-1, light that reaches into the mouth or under a lid
    soft: np.ndarray  # 1 where light scatters under the surface


def solid_surface(bust: Bust, hits: Hits, part: np.ndarray, look: Look, masks: Masks, camera: Camera) -> Surface:
    """The surface that the solid parts of a bust show; part is that of each triangle drawn."""
    surface = _bare(bust, hits, part[hits.triangle])
    rest = hits.sample(bust.rest)
    skin = np.flatnonzero(surface.part == SKIN)
    on_skin, uv = rest[skin], hits.sample(bust.uv)[skin]
    height = np.zeros(len(surface.part), np.float32)
    height[skin] = _skin(surface, skin, on_skin, look)
    height[skin] += _lips(surface, skin, on_skin, masks.lips(uv), look.person)
    _cavity(surface, skin, on_skin, masks.mouth(uv))
    _roots(surface, skin, on_skin, masks.ears(uv), look.person)
    _clothes(surface, skin, on_skin, hits.sample(bust.cloth)[skin], look.person, height)
    _teeth_and_tongue(surface, rest)
    _bump(surface, hits, height, camera)
    _eyes(surface, bust, look)
    return surface


def _bare(bust: Bust, hits: Hits, part: np.ndarray) -> Surface:
    """Place and direction of the surface, not yet made of anything."""
    position = hits.sample(bust.vertices)
    return Surface(
        position=position,
        normal=unit(hits.sample(bust.normals)),
        albedo=np.ones_like(position),
        gloss=np.full(len(part), 0.3, np.float32),
        part=part,
        dim=np.ones(len(part), np.float32),
        soft=np.zeros(len(part), np.float32),
    )


def _skin(surface: Surface, skin: np.ndarray, rest: np.ndarray, look: Look) -> np.ndarray:
    """Paint the skin's pixels from its canvas; returns the height of their furrows."""
    values = skin_canvas.sample(np.concatenate([look.canvas, look.furrows], axis=-1), rest)
    surface.albedo[skin], surface.gloss[skin], surface.soft[skin] = values[:, :3], values[:, 3], 1
    front = np.clip((rest[:, 2] + 4) / 3, 0, 1)
    height = values[:, 4] * front
    surface.albedo[skin] *= (1 + np.clip(height, -0.14, 0.03) * 3.4)[:, None]
    # The frontal canvas does not reach ears, neck and sides: uneven tone for them from elsewhere.
    uneven = texture("skin", rest[:, 2] * 9, rest[:, 1] * 9)
    surface.albedo[skin] *= (1 + 0.03 * np.clip(-rest[:, 2] - 2, 0, 4) / 4 * uneven)[:, None]
    return height


def _lips(surface: Surface, skin, rest, lips: np.ndarray, person: Identity) -> np.ndarray:
    """Redden the lips, by lipstick if she wears any; returns the height of their creases."""
    tone = surface.albedo[skin]
    brightness = tone @ np.full((3, 1), 1 / 3, np.float32)
    red = srgb_to_linear((176, 82, 84)) * 0.75 + 0.25 * tone
    natural = tone * np.float32([0.86, 0.58, 0.6]) * 0.75 + red * 0.25 * brightness / 0.35
    painted = srgb_to_linear((158, 36, 52)) * (0.4 + 0.6 * brightness / 0.4)
    colour = (1 - person.lipstick) * natural + person.lipstick * painted
    creases = texture("lips", rest[:, 0] * 60, rest[:, 1] * 6)
    surface.albedo[skin] = tone + (colour * (1 + 0.05 * creases)[:, None] - tone) * lips[:, None]
    surface.gloss[skin] += lips * (0.35 + 0.3 * person.lipstick)
    return 0.006 * lips * creases


def _cavity(surface: Surface, skin, rest, inside: np.ndarray) -> None:
    """The mouth's inside is dark red and loses light with depth."""
    surface.albedo[skin] += (np.float32([0.1, 0.02, 0.02]) - surface.albedo[skin]) * inside[:, None]
    depth = np.clip(2.3 - rest[:, 2], 0, 6)
    surface.dim[skin] *= 1 - inside * (0.95 - 0.95 * np.exp(-depth / 0.7))


def _roots(surface: Surface, skin, rest, ears: np.ndarray, person: Identity) -> None:
    """The scalp under hair takes the hair's colour; closely cropped heads show it."""
    style = STYLES[person.hair_style]
    strength = 0.1 if style is None else 0.8
    above = above_hairline(rest, style, person.recede)
    grain = texture("roots", rest[:, 0] * 12 + rest[:, 2] * 7, rest[:, 1] * 12)
    cover = strength * np.clip((above + (0.3 if style else 0.0) * grain) / 1.4, 0, 1) * (1 - ears)
    root = 0.8 * srgb_to_linear(person.hair_srgb) + 0.004
    surface.albedo[skin] += (root - surface.albedo[skin]) * cover[:, None]


def _clothes(surface: Surface, skin, rest, depth: np.ndarray, person: Identity, height: np.ndarray) -> None:
    """A woven shirt with a collar and some folds, where depth (cm inside the shirt) is positive."""
    inside = np.clip(depth / 0.06, 0, 1)
    collar = (depth > 0) & (depth < 1.1)
    weave = texture("weave", rest[:, 0] * 8, rest[:, 1] * 8)
    fold = np.sin(0.55 * rest[:, 0] + 0.5 * rest[:, 1] + 1.5 * np.sin(0.3 * rest[:, 1])) * 0.1
    colour = srgb_to_linear(person.clothes_srgb)[None] * (1 + 0.06 * weave)[:, None]
    colour = colour * np.where(collar, 0.82, 1.0)[:, None]
    surface.albedo[skin] += (colour - surface.albedo[skin]) * inside[:, None]
    surface.gloss[skin] *= 1 - 0.95 * inside
    surface.soft[skin] *= 1 - inside
    height[skin] = height[skin] * (1 - inside) + inside * np.where(
        collar, 0.02 * weave, fold * np.clip(depth / 4, 0, 1)
    )


def _teeth_and_tongue(surface: Surface, rest: np.ndarray) -> None:
    """Teeth with gaps between them, tongue; both lose light with depth."""
    teeth, tongue = surface.part == TEETH, surface.part == TONGUE
    arc = np.arctan2(rest[teeth, 0], rest[teeth, 2] + 1.0)
    gap = np.abs(np.sin(arc * 8.5)) ** 0.35
    surface.albedo[teeth] = np.float32([0.72, 0.68, 0.58]) * (0.55 + 0.45 * gap)[:, None]
    surface.gloss[teeth] = 0.7
    surface.albedo[tongue] = np.float32([0.42, 0.12, 0.11])
    surface.gloss[tongue], surface.soft[tongue] = 0.5, 1
    for mask, reach in ((teeth, 1.4), (tongue, 1.1)):
        surface.dim[mask] = 0.75 * np.exp(-np.clip(2.2 - rest[mask, 2], 0, 8) / reach)


def _bump(surface: Surface, hits: Hits, height: np.ndarray, camera: Camera) -> None:
    """Tilt normals by a height in centimetres. Source: Mikkelsen 2010, bump mapping unparametrised surfaces."""
    h, w = hits.size
    image = np.zeros(h * w, np.float32)
    image[hits.flat] = height
    image = image.reshape(h, w)
    row, column = hits.flat // w, hits.flat % w
    up = image[np.maximum(row - 1, 0), column] - image[np.minimum(row + 1, h - 1), column]
    across = image[row, np.minimum(column + 1, w - 1)] - image[row, np.maximum(column - 1, 0)]
    pixel_cm = camera.distance / camera.focal
    slope = np.stack([across, up, np.zeros_like(up)], axis=-1) / (2 * pixel_cm)
    slope = np.clip(slope, -0.9, 0.9)
    facing = np.clip(surface.normal[:, 2:3], 0.25, 1)
    surface.normal[:] = unit(surface.normal - slope * facing)


def _eyes(surface: Surface, bust: Bust, look: Look) -> None:
    """Eyeballs that look somewhere: sclera, iris, pupil, the cornea's bulge, the upper lid's shadow."""
    eye = np.flatnonzero(surface.part == EYES)
    if not len(eye):
        return
    across, up = bust.rotation[:, 0], bust.rotation[:, 1]
    which = (surface.position[eye] @ across > bust.eye_centres.mean(0) @ across).astype(int)
    from_centre = surface.position[eye] - bust.eye_centres[which]
    outward, gaze = unit(from_centre), look.gaze[which]
    along = np.clip(dot(outward, gaze), -1, 1)
    off_axis = outward - along[:, None] * gaze
    radius = np.arccos(along) * bust.eye_radius
    angle = np.arctan2(off_axis @ up, off_axis @ across)
    corner = np.abs(off_axis @ across) * bust.eye_radius
    surface.albedo[eye] = _eye_colour(radius, angle, corner, srgb_to_linear(look.person.eye_srgb))
    # The cornea bulges over the iris, which gives the catchlight its place.
    bulge = np.clip(1 - radius / 0.7, 0, 1)[:, None]
    surface.normal[eye] = unit(outward + 0.25 * bulge * off_axis)
    surface.gloss[eye] = 1.0
    vertical = from_centre @ up / bust.eye_radius
    surface.dim[eye] = 0.95 - 0.55 * np.clip((vertical - 0.02) / 0.35, 0, 1) - 0.15 * np.clip(corner - 0.9, 0, 1)


def _eye_colour(radius: np.ndarray, angle: np.ndarray, corner: np.ndarray, tone: np.ndarray) -> np.ndarray:
    """Colour (P, 3) by distance from the pupil's centre (cm), angle round it, and distance sideways (cm)."""
    fibres = texture("iris", angle * 38, radius * 30)
    iris = tone[None] * (1.25 + 0.35 * fibres + 0.5 * np.clip(0.45 - radius, 0, 1))[:, None]
    limbus = np.clip((radius - 0.8 * IRIS_CM) / (0.2 * IRIS_CM), 0, 1)[:, None]
    iris = iris * (1 - 0.75 * limbus)
    sclera = np.float32([0.56, 0.53, 0.50]) - np.clip(corner - 0.75, 0, 1)[:, None] * np.float32([0.1, 0.28, 0.28])
    blend = np.clip((IRIS_CM + 0.03 - radius) / 0.06, 0, 1)[:, None]
    pupil = np.clip((PUPIL_CM + 0.025 - radius) / 0.05, 0, 1)[:, None]
    return (sclera * (1 - blend) + iris * blend) * (1 - pupil) + 0.004 * pupil
