"""Programs that hold a lock, or use artifacts, until they are killed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

HOLD = """
import sys, time
from pathlib import Path
from pipeline.artifacts.locks import hold
with hold(Path(sys.argv[1]), "faces"):
    print("held", flush=True)
    time.sleep(60)
"""

USE = """
import sys, time
from pathlib import Path
from pipeline.artifacts.uses import Uses
uses = Uses(Path(sys.argv[1]))
uses.add(sys.argv[2:])
print("used", flush=True)
time.sleep(60)
"""


@contextmanager
def running(program: str, *arguments: object) -> Iterator[subprocess.Popen]:
    """A program that has printed its first line and is killed at the end of the block."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline()
            yield process
        finally:
            process.kill()
