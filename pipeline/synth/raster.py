"""What each pixel sees: VTK draws every triangle in a colour that is its number, off screen.

Shading happens in numpy (`pipeline.synth.shading`), so a picture depends on the GL implementation only
through which triangle covers a pixel: Mesa on a CPU and an NVIDIA driver give the same faces.
"""

from __future__ import annotations

import ctypes
import os
from dataclasses import dataclass

import numpy as np

from pipeline.errors import MissingDependencyError

GL_HELP = (
    "Synthetic faces need an off-screen OpenGL (EGL). On Debian or Ubuntu install it with: "
    "apt-get install libegl1 libgl1 libgl1-mesa-dri libopengl0"
)


@dataclass(frozen=True)
class Hits:
    """The pixels that a mesh covers.

    Attributes
    ----------
    flat : int64, shape (P,); pixel numbers, row-major from the top left.
    triangle : int64, shape (P,)
    corners : int64, shape (P, 3); the vertices of that triangle.
    weights : float32, shape (P, 3); their perspective-correct barycentric coordinates.
    size : (height, width) of the picture.
    """

    flat: np.ndarray
    triangle: np.ndarray
    corners: np.ndarray
    weights: np.ndarray
    size: tuple[int, int]

    def sample(self, values: np.ndarray) -> np.ndarray:
        """Interpolate per-vertex values (V, …) over the pixels."""
        weights = self.weights if values.ndim == 1 else self.weights[:, :, None]
        total = values[self.corners[:, 0]] * weights[:, 0]
        for k in (1, 2):
            total += values[self.corners[:, k]] * weights[:, k]
        return total

    def only(self, chosen: np.ndarray) -> Hits:
        """The hits at some positions of this list."""
        return Hits(self.flat[chosen], self.triangle[chosen], self.corners[chosen], self.weights[chosen], self.size)


class Rasteriser:
    """One off-screen window with one mesh whose points change; make one per process.

    The camera stands at the origin and looks along -z, y up.
    """

    def __init__(self) -> None:
        gl, core = _vtk_modules()
        _require_egl()
        os.environ.setdefault("LP_NUM_THREADS", "1")  # Mesa's software rasteriser: a process keeps to one core
        self.window = gl.vtkEGLRenderWindow()
        self.window.SetOffScreenRendering(1)
        self.window.SetMultiSamples(0)
        self.renderer = core.vtkRenderer()
        self.renderer.SetBackground(0, 0, 0)
        self.renderer.SetAutomaticLightCreation(False)
        self.window.AddRenderer(self.renderer)
        self.mapper = core.vtkPolyDataMapper()
        self.mapper.SetScalarModeToUseCellData()
        self.mapper.SetColorModeToDirectScalars()
        actor = core.vtkActor()
        actor.SetMapper(self.mapper)
        actor.GetProperty().LightingOff()
        actor.GetProperty().SetInterpolationToFlat()
        self.renderer.AddActor(actor)

    def draw(self, points: np.ndarray, corners: np.ndarray, size: tuple[int, int], focal: float | None) -> Hits:
        """Which triangle each pixel shows.

        Parameters
        ----------
        points : float, shape (V, 3); camera space.
        corners : int, shape (T, 3)
        size : (height, width) in pixels
        focal : focal length in pixels, or None for a parallel projection of one unit per pixel.
        """
        height, width = size
        self.mapper.SetInputData(_polydata(points, corners))
        self._aim(points, height, focal)
        self.window.SetSize(width, height)
        self.window.Render()
        numbers = self._read(height, width)
        flat = np.flatnonzero(numbers)
        triangle = numbers[flat] - 1
        hit = corners[triangle]
        return Hits(flat, triangle, hit, _barycentric(points, hit, flat, size, focal), size)

    def _aim(self, points: np.ndarray, height: int, focal: float | None) -> None:
        camera = self.renderer.GetActiveCamera()
        camera.SetPosition(0, 0, 0)
        camera.SetFocalPoint(0, 0, -1)
        camera.SetViewUp(0, 1, 0)
        camera.SetParallelProjection(focal is None)
        if focal is None:
            camera.SetParallelScale(height / 2)
        else:
            camera.SetViewAngle(float(np.degrees(2 * np.arctan(height / 2 / focal))))
        near, far = -points[:, 2].max(), -points[:, 2].min()
        margin = 0.01 * (far - near) + 1e-3
        camera.SetClippingRange(max(near - margin, 1e-2) if focal else near - margin, far + margin)

    def _read(self, height: int, width: int) -> np.ndarray:
        """Triangle numbers plus one (zero is background), row-major from the top left."""
        from vtkmodules.util.numpy_support import vtk_to_numpy
        from vtkmodules.vtkCommonCore import vtkUnsignedCharArray

        pixels = vtkUnsignedCharArray()
        self.window.GetPixelData(0, 0, width - 1, height - 1, 0, pixels, 0)
        rgb = vtk_to_numpy(pixels).reshape(height, width, 3)[::-1].astype(np.int64)
        return (rgb[..., 0] + 256 * rgb[..., 1] + 65536 * rgb[..., 2]).ravel()


def project(points: np.ndarray, size: tuple[int, int], focal: float | None) -> np.ndarray:
    """Camera space (…, 3) to pixels (…, 2), x right and y down; pixel centres lie at half-integers."""
    scale = 1.0 if focal is None else focal / -points[..., 2]
    x = size[1] / 2 + points[..., 0] * scale
    y = size[0] / 2 - points[..., 1] * scale
    return np.stack([x, y], axis=-1)


def _barycentric(points, corners, flat, size, focal) -> np.ndarray:
    """Weights of the three corners at each pixel's centre, corrected for perspective."""
    pixel = np.stack([flat % size[1] + 0.5, flat // size[1] + 0.5], axis=-1).astype(np.float32)
    projected = project(points, size, focal)
    a, b, c = (projected[corners[:, k]] - pixel for k in range(3))
    weights = np.stack([_cross(b, c), _cross(c, a), _cross(a, b)], axis=-1)
    if focal is not None:
        weights = weights / points[corners, 2]
    total = weights[:, 0] + weights[:, 1] + weights[:, 2]
    total = np.where(np.abs(total) > 1e-12, total, 1)
    weights = np.clip(weights / total[:, None], 0, 1)
    total = np.maximum(weights[:, 0] + weights[:, 1] + weights[:, 2], 1e-6)
    return (weights / total[:, None]).astype(np.float32)


def _cross(p: np.ndarray, q: np.ndarray) -> np.ndarray:
    return p[:, 0] * q[:, 1] - p[:, 1] * q[:, 0]


def _polydata(points: np.ndarray, corners: np.ndarray):
    """A mesh whose cells are coloured by their number plus one."""
    from vtkmodules.util.numpy_support import numpy_to_vtk, numpy_to_vtkIdTypeArray
    from vtkmodules.vtkCommonCore import vtkPoints
    from vtkmodules.vtkCommonDataModel import vtkCellArray, vtkPolyData

    cells = vtkCellArray()
    offsets = numpy_to_vtkIdTypeArray(np.arange(0, 3 * len(corners) + 1, 3, dtype=np.int64), deep=True)
    cells.SetData(offsets, numpy_to_vtkIdTypeArray(corners.astype(np.int64).ravel(), deep=True))
    vertices = vtkPoints()
    vertices.SetData(numpy_to_vtk(np.ascontiguousarray(points, np.float32), deep=True))
    number = np.arange(1, len(corners) + 1)
    colours = np.stack([number & 255, (number >> 8) & 255, number >> 16], axis=-1).astype(np.uint8)
    mesh = vtkPolyData()
    mesh.SetPoints(vertices)
    mesh.SetPolys(cells)
    mesh.GetCellData().SetScalars(numpy_to_vtk(colours, deep=True))
    return mesh


def _require_egl() -> None:
    """VTK crashes where EGL has no device, so ask EGL first."""
    try:
        egl = ctypes.CDLL("libEGL.so.1")
    except OSError as error:
        raise MissingDependencyError(f"No EGL library ({error}). {GL_HELP}") from error
    egl.eglGetProcAddress.restype = ctypes.c_void_p
    egl.eglGetProcAddress.argtypes = [ctypes.c_char_p]
    address = egl.eglGetProcAddress(b"eglQueryDevicesEXT")
    count = ctypes.c_int32(0)
    if address:
        signature = ctypes.CFUNCTYPE(ctypes.c_uint, ctypes.c_int32, ctypes.c_void_p, ctypes.POINTER(ctypes.c_int32))
        signature(address)(0, None, ctypes.byref(count))
    if count.value < 1:
        raise MissingDependencyError(f"EGL is installed but has no device to draw on. {GL_HELP}")


def _vtk_modules():
    """VTK's OpenGL and core modules, or one error that names what to install."""
    try:
        import vtkmodules.vtkRenderingCore as core
        import vtkmodules.vtkRenderingOpenGL2 as gl
    except ImportError as error:
        if "lib" in str(error) and ".so" in str(error):
            raise MissingDependencyError(f"VTK cannot load OpenGL ({error}). {GL_HELP}") from error
        raise MissingDependencyError(
            f"VTK is not installed ({error}). Install the extra: pip install 'paindistill[synth]'"
        ) from error
    return gl, core
