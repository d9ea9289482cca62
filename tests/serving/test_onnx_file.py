"""ONNX Runtime, as it is imported here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

NEEDED = "from pipeline.serving import onnx_file; onnx_file.needed('onnxruntime')"


@pytest.mark.parametrize(("code", "leaves"), [(NEEDED, []), ("import onnxruntime", [".ses"])])
def test_it_reports_nothing_to_its_makers_and_leaves_no_file_behind(code, leaves, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != "ORT_DISABLE_TELEMETRY"}
    subprocess.run([sys.executable, "-c", code], env=environment | {"TMPDIR": str(tmp_path)}, check=True)
    assert os.listdir(tmp_path) == leaves
