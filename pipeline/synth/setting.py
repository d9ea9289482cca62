"""What a photographer chooses: pose, framing, light, background, where the eyes look."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from PIL import Image
from scipy import ndimage

from pipeline.synth.camera import Camera
from pipeline.synth.geometry import Pose
from pipeline.synth.light import Light

HEAD_CM = 23.0  # from the chin to the crown


@dataclass(frozen=True)
class Setting:
    """What a photographer would choose: pose, framing, light, background, where the eyes look."""

    pose: Pose
    distance: float
    head_share: float  # height of the head (HEAD_CM) over that of the picture
    shift: tuple[float, float]
    light: Light
    room: np.ndarray  # low-resolution picture of what is behind, linear RGB (h, w, 3)
    gaze_offset: tuple[float, float]
    exposure: float

    def camera(self, size: tuple[int, int]) -> Camera:
        """The camera of a picture of `size` (height, width)."""
        focal = self.head_share * size[0] / HEAD_CM * self.distance
        aim = np.float32([self.shift[0], -0.3 + self.shift[1], 0])
        return Camera(self.distance, aim, focal, size)


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
        room=_sample_room(rng),
        gaze_offset=(float(rng.normal(0, 3)), float(rng.normal(-6, 2))),
        exposure=float(np.exp(rng.normal(0, 0.1))),
    )


def vary_setting(setting: Setting, rng: np.random.Generator) -> Setting:
    """A second shot of the same sitting: head and camera have moved a little."""
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


def _sample_light(rng) -> Light:
    """A key light from either side, the fuller the harder, and what the room gives back."""
    azimuth = np.radians(rng.choice([-1, 1]) * rng.uniform(8, 65))
    elevation = np.radians(rng.uniform(12, 50))
    key = np.float32([np.sin(azimuth) * np.cos(elevation), np.sin(elevation), np.cos(azimuth) * np.cos(elevation)])
    warmth = rng.normal(0, 0.05)
    colour = np.float32([1 + warmth, 1.0, 1 - 1.4 * warmth])
    contrast = rng.uniform(0.45, 0.8)
    cool = np.float32([1 - 0.6 * warmth, 1.0, 1 + 0.9 * warmth])
    side = -np.sign(azimuth)
    rim = np.float32([side * 0.85, 0.3, -0.45])
    return Light(
        key=key,
        key_colour=colour * np.float32(1.8 * contrast),
        sky=cool * np.float32(1.05 * (1 - contrast) + 0.2),
        ground=np.float32([1.0, 0.92, 0.85]) * np.float32(0.55 * (1 - contrast) + 0.1),
        rim=rim / np.linalg.norm(rim),
        rim_colour=colour * np.float32(rng.uniform(0, 0.45)),
        softness=float(rng.uniform(0.4, 1.4)),
    )


def _sample_room(rng) -> np.ndarray:
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
    return np.clip(field, 0.01, 0.95).astype(np.float32)


def background(setting: Setting, size: tuple[int, int]) -> np.ndarray:
    """The background in full size, smooth, float32 (h, w, 3)."""
    small = ndimage.gaussian_filter(setting.room, (1.0, 1.0, 0))
    channels = [Image.fromarray(small[..., k]).resize((size[1], size[0]), Image.BICUBIC) for k in range(3)]
    return np.clip(np.stack([np.asarray(c) for c in channels], axis=-1), 0, 1)
