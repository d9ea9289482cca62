"""ONNX Runtime, as it is imported here."""

from __future__ import annotations

import os
import subprocess
import sys

VARIABLE = "ORT_DISABLE_TELEMETRY"
PROGRAM = f"""
import os, sys
from pipeline.serving import onnx_file

class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "onnxruntime":
            print(os.environ.get("{VARIABLE}"))

sys.meta_path.insert(0, Watch())
onnx_file.needed("onnxruntime")
"""


def test_it_is_told_to_report_nothing_to_its_makers_and_leaves_no_file_behind(tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != VARIABLE}
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        env=environment | {"TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout == "1\n"
    assert os.listdir(tmp_path) == []
