"""What a run of ``predict`` leaves for the one that goes on with it, until it has ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline.artifacts.atomic import replacing
from pipeline.errors import ConfigError

FOLDER, STATE = "predictions.draft", "state.json"


class Draft:
    """A folder beside the table: what was asked, how many files are done, and segments of annotated videos.

    Parameters
    ----------
    out : folder of the results.
    settings : what a run must share with the one that it goes on with, as JSON holds it.

    Attributes
    ----------
    done : how many of the files are done.
    """

    def __init__(self, out: Path, settings: Mapping[str, Any]):
        self._folder, self._settings = out / FOLDER, dict(settings)
        self.done = 0

    def resumed(self) -> bool:
        """Take up the state of an earlier run. Returns whether there is one.

        Raises
        ------
        ConfigError : it was asked something else.
        """
        try:
            state = json.loads((self._folder / STATE).read_text())
            earlier, self.done = state["settings"], int(state["done"])
        except (OSError, ValueError, TypeError, KeyError):
            return False
        others = [name for name, value in self._settings.items() if earlier.get(name) != value]
        if others:
            said = ", ".join(f"{name.upper()} ({earlier.get(name)}, now {self._settings[name]})" for name in others)
            raise ConfigError(
                f"RESUME: the run in {self._folder.parent} was begun with other values of {said}. Give those again, or "
                "run the command without RESUME"
            )
        return True

    def begin(self) -> None:
        """Write the state of a run that has done nothing yet."""
        self._folder.mkdir(parents=True, exist_ok=True)
        self.finished(0)

    def finished(self, done: int) -> None:
        """Write down that so many files are done."""
        self.done = done
        with replacing(self._folder / STATE) as draft:
            draft.write_text(json.dumps({"settings": self._settings, "done": done}))

    def segments(self, number: int) -> Path:
        """The folder for segments of the annotated copy of a file, by its number."""
        return self._folder / f"{number:06d}"

    def remove(self) -> None:
        """Remove the folder and all in it."""
        shutil.rmtree(self._folder, ignore_errors=True)
