"""A program that holds a lock."""

HOLD = """
import sys, time
from pathlib import Path
from pipeline.artifacts.locks import hold
with hold(Path(sys.argv[1]), "faces"):
    print("held", flush=True)
    time.sleep(60)
"""
