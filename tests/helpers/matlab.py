"""Files of COFW's form, laid out as MATLAB 7.3 does it."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np


def save(path: Path, end: str, pictures: list[np.ndarray], phis: list[np.ndarray], box=(4.0, 5.0, 30.0, 20.0)) -> None:
    """Write pictures as cells, which are references, numbers (87,) and a box; all axes are in reverse order."""
    with h5py.File(path, "w", userblock_size=512) as file:
        cells = file.create_dataset(f"Is{end}", (1, len(pictures)), h5py.ref_dtype)
        for number, picture in enumerate(pictures):
            cells[0, number] = file.create_dataset(f"#refs#/{number}", data=picture.T).ref
        file[f"phis{end}"] = np.array(phis, float).T
        file[f"bboxes{end}"] = np.tile(np.array(box, float)[:, None], len(pictures))
    with open(path, "r+b") as file:
        file.write(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x02IM")
