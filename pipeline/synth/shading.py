"""Light on a bust, pixel by pixel: soft key light with a shadow, sky light, subsurface blur, wet eyes, hair.

A deferred shader in numpy. Everything is linear light until `tone_map`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from pipeline.synth import skin as skin_canvas
from pipeline.synth.geometry import EYES, HAIR, LASHES, OVERLAYS, SKIN, TEETH, TONGUE, Bust
from pipeline.synth.identity import Identity
from pipeline.synth.raster import Hits, Rasteriser
from pipeline.synth.skin import srgb_to_linear

SHADOW_SIZE = 320
SHADOW_CM = 36.0
IRIS_CM, PUPIL_CM = 0.6, 0.23
TEXTURE = 512


@dataclass(frozen=True)
class Light:
    """Key light (unit direction towards it, linear RGB), light from above and below, and a rim from behind."""

    key: np.ndarray
    key_colour: np.ndarray
    sky: np.ndarray
    ground: np.ndarray
    rim: np.ndarray
    rim_colour: np.ndarray
    softness: float  # of the key light's shadow, in centimetres


@dataclass
class Surface:
    """Values per covered pixel, in the order of `Hits.flat`."""

    position: np.ndarray
    normal: np.ndarray
    albedo: np.ndarray
    gloss: np.ndarray
    part: np.ndarray
    dim: np.ndarray  # 0-1, light that reaches into the mouth or under a lid
    soft: np.ndarray  # 1 where light scatters under the surface


def shade(raster: Rasteriser, bust: Bust, camera, person: Identity, canvas, wrinkles, masks, light: Light, gaze):
    """Colour and cover of the picture.

    Parameters
    ----------
    camera : has `size` (height, width), `focal` in pixels and `place(points)` into camera space.
    canvas, wrinkles : from `skin.paint` and `wrinkles.wrinkle`.
    masks : UV masks "lips" and "mouth" and their look-up, see `pipeline.synth.scene`.
    gaze : unit vectors (2, 3) that the eyes look along.

    Returns
    -------
    colour : float32 (height, width, 3), linear light; cover : float32 (height, width), 0 is background.
    """
    points = camera.place(bust.vertices).astype(np.float32)
    overlay = np.isin(bust.part, OVERLAYS)
    solid = raster.draw(points, bust.corners[~overlay], camera.size, camera.focal)
    every = raster.draw(points, bust.corners, camera.size, camera.focal)
    light_map = _ShadowMap(raster, bust, light)
    surface = _solid_surface(bust, solid, ~overlay, person, canvas, wrinkles, masks, gaze, camera)
    occlusion = _ambient_occlusion(every, bust, points, camera.size)
    colour = np.zeros((camera.size[0] * camera.size[1], 3), np.float32)
    colour[solid.flat] = _light_surface(surface, solid, light, light_map, occlusion, bust, camera, gaze)
    cover = np.zeros(len(colour), np.float32)
    cover[solid.flat] = 1
    _add_overlays(colour, cover, every, bust, person, light, light_map, occlusion, camera)
    return colour.reshape(*camera.size, 3), cover.reshape(camera.size)


def tone_map(linear: np.ndarray) -> np.ndarray:
    """Linear light to sRGB uint8 through a soft shoulder, as a camera would."""
    x = np.clip(linear, 0, None)
    x = x * (1 + x / 5.0) / (1 + 0.62 * x)
    x = np.clip(x * 1.12, 0, 1)
    srgb = np.where(x <= 0.0031308, 12.92 * x, 1.055 * np.power(x, 1 / 2.4, where=x > 0, out=np.zeros_like(x)) - 0.055)
    return (srgb * 255 + 0.5).astype(np.uint8)


def _unit(v: np.ndarray) -> np.ndarray:
    return v / np.maximum(np.sqrt(_dot(v, v)), 1e-9)[..., None]


def _dot(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Scalar products of the rows."""
    return np.einsum("...k,...k->...", a, b)


class _ShadowMap:
    """Depth seen from the key light, for soft shadows."""

    def __init__(self, raster: Rasteriser, bust: Bust, light: Light) -> None:
        forward = light.key
        right = _unit(np.cross([0, 1, 0], forward))
        self.basis = np.stack([right, np.cross(forward, right), forward]).astype(np.float32)
        self.centre = np.float32([0, -2, -6])
        self.scale = SHADOW_SIZE / SHADOW_CM
        self.softness = light.softness
        solid = bust.part != LASHES
        space = self._to_light(bust.vertices)
        hits = raster.draw(space, bust.corners[solid], (SHADOW_SIZE, SHADOW_SIZE), None)
        self.depth = np.full(SHADOW_SIZE * SHADOW_SIZE, -1e3, np.float32)
        self.depth[hits.flat] = hits.sample(space[:, 2])

    def _to_light(self, points: np.ndarray) -> np.ndarray:
        space = (points - self.centre) @ self.basis.T * self.scale
        return space.astype(np.float32)

    def lit(self, position: np.ndarray, normal: np.ndarray) -> np.ndarray:
        """Share of the key light that reaches each point, (P,)."""
        space = self._to_light(position + 0.12 * normal)
        spread = self.softness * self.scale
        total = np.zeros(len(position), np.float32)
        turns = np.arange(9) * 2.39996
        radii = np.sqrt((np.arange(9) + 0.5) / 9) * spread
        for turn, radius in zip(turns, radii, strict=True):
            column = (SHADOW_SIZE / 2 + space[:, 0] + radius * np.cos(turn)).astype(np.int64)
            row = (SHADOW_SIZE / 2 - space[:, 1] + radius * np.sin(turn)).astype(np.int64)
            index = np.clip(row, 0, SHADOW_SIZE - 1) * SHADOW_SIZE + np.clip(column, 0, SHADOW_SIZE - 1)
            gap = (self.depth[index] - space[:, 2]) / self.scale - 0.12
            total += 1 - np.clip(gap / 0.5, 0, 1)
        return total / 9


def _ambient_occlusion(hits: Hits, bust: Bust, points: np.ndarray, size) -> np.ndarray:
    """How much sky each pixel sees (H * W,), from how far it lies behind its surroundings."""
    depth = np.full(size[0] * size[1], points[:, 2].min(), np.float32)
    depth[hits.flat] = hits.sample(points[:, 2])
    depth = depth.reshape(size)
    occlusion = np.zeros(size, np.float32)
    small = depth[::2, ::2]
    for sigma, reach, weight in ((2.5, 0.6, 0.3), (7, 1.6, 0.4), (18, 4.0, 0.45)):
        behind = np.clip((ndimage.gaussian_filter(small, sigma) - small) / reach, 0, 1)
        wide = np.repeat(np.repeat(behind, 2, 0), 2, 1)[: size[0], : size[1]]
        occlusion += weight * wide
    return (1 - np.clip(occlusion, 0, 0.85)).ravel()


def _solid_surface(bust, hits, keep, person, canvas, wrinkles, masks, gaze, camera) -> Surface:
    part = bust.part[keep][hits.triangle]
    rest = hits.sample(bust.rest)
    position = hits.sample(bust.vertices)
    normal = _unit(hits.sample(bust.normals))
    surface = Surface(
        position,
        normal,
        np.ones_like(position),
        np.full(len(part), 0.3, np.float32),
        part,
        np.ones(len(part), np.float32),
        np.zeros(len(part), np.float32),
    )
    skin = np.flatnonzero(part == SKIN)
    values = skin_canvas.sample(np.concatenate([canvas, wrinkles], axis=-1), rest[skin])
    surface.albedo[skin], surface.gloss[skin], surface.soft[skin] = values[:, :3], values[:, 3], 1
    height = np.zeros(len(part), np.float32)
    front = np.clip((rest[skin, 2] + 4) / 3, 0, 1)
    height[skin] = values[:, 4] * front
    surface.albedo[skin] *= (1 + np.clip(values[:, 4] * front, -0.14, 0.03) * 3.4)[:, None]
    _mottle(surface, skin, rest, person)
    uv = hits.sample(bust.uv)[skin]
    _lips_and_mouth(surface, skin, uv, rest, masks, person, height)
    _scalp_shadow(surface, skin, rest[skin], masks["ears_at"](uv), person)
    _clothes(surface, skin, hits.sample(bust.cloth)[skin], rest[skin], person, height)
    _mouth_parts(surface, rest)
    _bump(surface, hits, height, camera)
    _eyes(surface, bust, gaze, person)
    return surface


def _mottle(surface: Surface, skin, rest, person) -> None:
    """Uneven tone where the frontal canvas does not reach (ears, neck, sides)."""
    tile = _tile(1)
    index = (rest[skin][:, [2, 1]] * 9).astype(np.int64) % TEXTURE
    amount = 0.03 * np.clip(-rest[skin, 2] - 2, 0, 4) / 4
    surface.albedo[skin] *= (1 + amount * tile[index[:, 0], index[:, 1]])[:, None]


def _lips_and_mouth(surface, skin, uv, rest, masks, person, height) -> None:
    lips = masks["lips_at"](uv)
    tone = surface.albedo[skin]
    red = srgb_to_linear((176, 82, 84)) * 0.75 + 0.25 * tone
    natural = (
        tone * np.float32([0.86, 0.58, 0.6]) * 0.75 + red * 0.25 * (tone @ np.full((3, 1), 1 / 3, np.float32)) / 0.35
    )
    painted = srgb_to_linear((158, 36, 52)) * (0.4 + 0.6 * (tone @ np.full((3, 1), 1 / 3, np.float32)) / 0.4)
    colour = (1 - person.lipstick) * natural + person.lipstick * painted
    creases = _tile(2)[(rest[skin, 0] * 60).astype(np.int64) % TEXTURE, (rest[skin, 1] * 6).astype(np.int64) % TEXTURE]
    surface.albedo[skin] = tone + (colour * (1 + 0.05 * creases)[:, None] - tone) * lips[:, None]
    height[skin] += 0.006 * lips * creases
    surface.gloss[skin] += lips * (0.35 + 0.3 * person.lipstick)
    inside = masks["mouth_at"](uv)
    surface.albedo[skin] += (np.float32([0.1, 0.02, 0.02]) - surface.albedo[skin]) * inside[:, None]
    depth = np.clip(2.3 - rest[skin, 2], 0, 6)
    surface.dim[skin] *= 1 - inside * (0.95 - 0.95 * np.exp(-depth / 0.7))


def _scalp_shadow(surface, skin, rest, ears, person) -> None:
    """Roots: the scalp under hair takes the hair's colour, closely cropped heads show it."""
    from pipeline.synth.hair import STYLES, scalp

    style = STYLES[person.hair_style]
    strength = 0.1 if style is None else 0.8
    above = scalp(rest, person.recede)
    if style is not None and style.only_below is not None:
        above = np.minimum(above, style.only_below - rest[:, 1] + 0.15 * rest[:, 2] + 1.5)
    grain = _tile(3)[
        (rest[:, 0] * 12 + rest[:, 2] * 7).astype(np.int64) % TEXTURE, (rest[:, 1] * 12).astype(np.int64) % TEXTURE
    ]
    cover = strength * np.clip((above + (0.3 if style else 0.0) * grain) / 1.4, 0, 1) * (1 - ears)
    root = 0.8 * srgb_to_linear(person.hair_srgb) + 0.004
    surface.albedo[skin] += (root - surface.albedo[skin]) * cover[:, None]


def _clothes(surface, skin, depth, rest, person, height) -> None:
    inside = np.clip(depth / 0.06, 0, 1)
    collar = (depth > 0) & (depth < 1.1)
    weave = _tile(4)[(rest[:, 0] * 8).astype(np.int64) % TEXTURE, (rest[:, 1] * 8).astype(np.int64) % TEXTURE]
    fold = np.sin(0.55 * rest[:, 0] + 0.5 * rest[:, 1] + 1.5 * np.sin(0.3 * rest[:, 1])) * 0.1
    colour = srgb_to_linear(person.clothes_srgb)[None] * (1 + 0.06 * weave)[:, None]
    colour = colour * np.where(collar, 0.82, 1.0)[:, None]
    surface.albedo[skin] += (colour - surface.albedo[skin]) * inside[:, None]
    surface.gloss[skin] *= 1 - 0.95 * inside
    surface.soft[skin] *= 1 - inside
    height[skin] = height[skin] * (1 - inside) + inside * np.where(
        collar, 0.02 * weave, fold * np.clip(depth / 4, 0, 1)
    )


def _mouth_parts(surface: Surface, rest) -> None:
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


def _bump(surface: Surface, hits: Hits, height: np.ndarray, camera) -> None:
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
    surface.normal[:] = _unit(surface.normal - slope * facing)


def _eyes(surface: Surface, bust: Bust, gaze, person) -> None:
    eye = np.flatnonzero(surface.part == EYES)
    if not len(eye):
        return
    right = surface.position[eye] @ bust.rotation[:, 0] > bust.eye_centres.mean(0) @ bust.rotation[:, 0]
    outward = _unit(surface.position[eye] - bust.eye_centres[right.astype(int)])
    look = gaze[right.astype(int)]
    along = np.clip(_dot(outward, look), -1, 1)
    off_axis = outward - along[:, None] * look
    radius = np.arccos(along) * bust.eye_radius
    angle = np.arctan2(off_axis @ bust.rotation[:, 1], off_axis @ bust.rotation[:, 0])
    fibres = _tile(5)[(angle * 38).astype(np.int64) % TEXTURE, (radius * 30).astype(np.int64) % TEXTURE]
    iris = srgb_to_linear(person.eye_srgb)[None] * (1.25 + 0.35 * fibres + 0.5 * np.clip(0.45 - radius, 0, 1))[:, None]
    limbus = np.clip((radius - 0.8 * IRIS_CM) / (0.2 * IRIS_CM), 0, 1)[:, None]
    iris = iris * (1 - 0.75 * limbus)
    corner = np.abs(off_axis @ bust.rotation[:, 0]) * bust.eye_radius
    sclera = np.float32([0.56, 0.53, 0.50]) - np.clip(corner - 0.75, 0, 1)[:, None] * np.float32([0.1, 0.28, 0.28])
    blend = np.clip((IRIS_CM + 0.03 - radius) / 0.06, 0, 1)[:, None]
    colour = sclera * (1 - blend) + iris * blend
    pupil = np.clip((PUPIL_CM + 0.025 - radius) / 0.05, 0, 1)[:, None]
    surface.albedo[eye] = colour * (1 - pupil) + 0.004 * pupil
    # The cornea bulges over the iris, which gives the catchlight its place; lids shade the eye's top.
    bulge = np.clip(1 - radius / 0.7, 0, 1)[:, None]
    surface.normal[eye] = _unit(outward + 0.25 * bulge * off_axis)
    surface.gloss[eye] = 1.0
    vertical = (surface.position[eye] - bust.eye_centres[right.astype(int)]) @ bust.rotation[:, 1] / bust.eye_radius
    surface.dim[eye] = 0.95 - 0.55 * np.clip((vertical - 0.02) / 0.35, 0, 1) - 0.15 * np.clip(corner - 0.9, 0, 1)


def _light_surface(surface, hits, light, shadow, occlusion, bust, camera, gaze) -> np.ndarray:
    view = _unit(camera.eye - surface.position)
    sky = occlusion[hits.flat] * surface.dim
    lit = shadow.lit(surface.position, surface.normal)
    # The shadow map is too coarse for what happens between the lips.
    teeth = surface.part == TEETH
    lit[teeth] = np.maximum(lit[teeth], 0.45)
    sky[teeth] = np.sqrt(sky[teeth] * surface.dim[teeth])
    wrap = 0.28 * surface.soft[:, None] * np.float32([1.0, 0.45, 0.3])
    facing = (surface.normal @ light.key)[:, None]
    diffuse = np.clip((facing + wrap) / (1 + wrap), 0, 1) * light.key_colour * (lit * surface.dim)[:, None]
    up = (0.5 + 0.5 * surface.normal[:, 1])[:, None]
    ambient = (up * light.sky + (1 - up) * light.ground) * sky[:, None]
    rim = np.clip(surface.normal @ light.rim, 0, 1)[:, None] * light.rim_colour * sky[:, None]
    irradiance = _scatter(diffuse + ambient + rim, surface.soft, hits)
    # Light that bounces inside creases comes back in the skin's own colour.
    bounce = (1 - sky)[:, None] * surface.albedo * 0.25
    colour = surface.albedo * (irradiance * (1 + bounce))
    return colour + _specular(surface, view, light, lit, sky)


def _scatter(irradiance, soft, hits) -> np.ndarray:
    """Blur light on soft surfaces, red furthest: a screen-space stand-in for subsurface scattering."""
    h, w = hits.size
    weight = np.zeros(h * w, np.float32)
    weight[hits.flat] = soft
    weight = weight.reshape(h, w)
    blurred = irradiance.copy()
    unit = h / 720
    for channel, sigma in enumerate((3.4 * unit, 1.7 * unit, 1.0 * unit)):
        image = np.zeros(h * w, np.float32)
        image[hits.flat] = irradiance[:, channel] * soft
        wide = ndimage.gaussian_filter(image.reshape(h, w), sigma, truncate=2.5)
        total = ndimage.gaussian_filter(weight, sigma, truncate=2.5)
        mean = (wide / np.maximum(total, 1e-4)).ravel()[hits.flat]
        blurred[:, channel] += (mean - blurred[:, channel]) * soft * 0.85
    return blurred


def _specular(surface, view, light, lit, sky) -> np.ndarray:
    half = _unit(view + light.key)
    aligned = np.clip(_dot(surface.normal, half), 0, 1)
    grazing = (1 - np.clip(_dot(surface.normal, view), 0, 1)) ** 4
    wet = surface.part == EYES
    power = np.where(wet, 300.0, 10 + 38 * surface.gloss)
    strength = np.where(wet, 4.0, 0.014 + 0.065 * surface.gloss * (power + 2) / 24)
    highlight = strength * aligned**power * np.where(wet, 1, lit) * np.maximum(surface.dim, 0.3 * wet)
    glaze = grazing * 0.05 * surface.gloss * sky
    return highlight[:, None] * light.key_colour + glaze[:, None] * light.sky


def _add_overlays(colour, cover, every, bust, person, light, shadow, occlusion, camera) -> None:
    """Blend hair and lashes over what lies behind them."""
    part = bust.part[every.triangle]
    for kind, paint in ((HAIR, _hair), (LASHES, _lashes)):
        chosen = np.flatnonzero(part == kind)
        if not len(chosen):
            continue
        hits = every.only(chosen)
        rgb, alpha = paint(hits, bust, person, light, shadow, occlusion, camera)
        if kind == HAIR:  # before the open background there is always more hair behind, except at its lower end
            above_hem = hits.sample(bust.vertices[:, 1]) > bust.hem + 1.5
            alpha = np.where(above_hem & (cover[hits.flat] == 0), 1.0, alpha).astype(np.float32)
        behind = colour[hits.flat] * cover[hits.flat, None]
        colour[hits.flat] = behind + (rgb - behind) * alpha[:, None]
        total = cover[hits.flat] + (1 - cover[hits.flat]) * alpha
        colour[hits.flat] /= np.maximum(total, 1e-4)[:, None]
        cover[hits.flat] = total


def _lashes(hits, bust, person, light, shadow, occlusion, camera):
    uv = hits.sample(bust.uv)
    comb = _tile(6)[(uv[:, 0] * 4000).astype(np.int64) % TEXTURE, 7]
    alpha = np.clip(0.5 + 0.12 * comb, 0.1, 0.9) * (1.0 if person.gender == "Woman" else 0.6)
    dark = 0.5 * srgb_to_linear(person.hair_srgb) * 0.4 + 0.006
    return np.broadcast_to(dark, (len(alpha), 3)), alpha.astype(np.float32)


def _hair(hits, bust, person, light, shadow, occlusion, camera):
    """Strands: Kajiya-Kay shading along the flow, locks from stretched noise, frayed borders."""
    strand = hits.sample(bust.strand)
    edge = hits.sample(bust.edge)
    position = hits.sample(bust.vertices)
    normal = _unit(hits.sample(bust.normals))
    normal = np.where(_dot(normal, camera.eye - position)[:, None] < 0, -normal, normal)
    fine, lock = _strand_noise(strand, bust.curly)
    flow = hits.sample(bust.flow)
    flow = _unit(flow - _dot(flow, normal)[:, None] * normal)
    across = np.cross(flow, normal)
    normal = _unit(normal + across * (0.28 * lock + 0.12 * fine)[:, None])
    lit = shadow.lit(position, normal)
    view = _unit(camera.eye - position)
    base = srgb_to_linear(person.hair_srgb) * (1 + 0.28 * fine + 0.16 * lock)[:, None].clip(0.35, 1.9)
    facing = np.clip((normal @ light.key + 0.3) / 1.3, 0, 1) * lit
    up = (0.5 + 0.5 * normal[:, 1])[:, None]
    seen = occlusion[hits.flat][:, None]
    irradiance = facing[:, None] * light.key_colour + (up * light.sky + (1 - up) * light.ground) * seen
    rim = np.clip(normal @ light.rim, 0, 1)[:, None] * light.rim_colour
    half = _unit(view + light.key)
    along = _dot(_unit(flow + normal * (0.15 * fine + 0.1)[:, None]), half)
    gleam = np.clip(1 - along**2, 0, 1) ** (40 if not bust.curly else 12)
    gleam = gleam * lit * np.clip(normal @ light.key + 0.2, 0, 1)
    sheen = (0.05 + 0.35 * base) * gleam[:, None] * light.key_colour * 0.8
    depth = np.clip(0.45 + 0.55 * np.clip(edge / 1.2, 0, 1), 0, 1)[:, None]
    colour = base * (irradiance + rim) * depth + sheen
    fray = edge + 0.26 * fine + 0.16 * lock
    return colour.astype(np.float32), np.clip((fray + 0.15) / 0.6, 0, 1).astype(np.float32)


def _strand_noise(strand, curly):
    """Fine strands and broad locks, both about -2 to 2."""
    across, along = strand[:, 0], strand[:, 1]
    if curly:
        fine = _tile(8)[(across * 30).astype(np.int64) % TEXTURE, (along * 30).astype(np.int64) % TEXTURE]
        lock = _tile(9)[(across * 12).astype(np.int64) % TEXTURE, (along * 12).astype(np.int64) % TEXTURE]
        return fine, 1.6 * lock
    bend = across + 0.12 * np.sin(along * 0.9 + across)
    fine = _tile(7)[(bend * 22).astype(np.int64) % TEXTURE, (along * 3).astype(np.int64) % TEXTURE]
    lock = _tile(9)[(bend * 10).astype(np.int64) % TEXTURE, (along * 1.6).astype(np.int64) % TEXTURE]
    return fine, lock


_TILES: dict[int, np.ndarray] = {}
# Blur of each noise tile in pixels: skin, lips, roots, weave, iris, lashes, strands, curls, locks.
_TILE_BLUR = {1: 3, 2: 1.2, 3: 1.0, 4: 1.0, 5: 1.5, 6: 1.5, 7: 0.8, 8: 3.0, 9: 4.0}


def _tile(number: int) -> np.ndarray:
    """A wrapping noise texture (TEXTURE, TEXTURE) with unit deviation, made once."""
    if number not in _TILES:
        rough = np.random.default_rng((77, number)).standard_normal((TEXTURE, TEXTURE)).astype(np.float32)
        soft = ndimage.gaussian_filter(rough, _TILE_BLUR[number], mode="wrap")
        _TILES[number] = (soft / soft.std()).astype(np.float32)
    return _TILES[number]
