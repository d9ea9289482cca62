"""Commands that are run for an attack, and what became of them."""

from __future__ import annotations

import json
import os
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from tests.attacks.server import GRACE_S, SHARED

ROOT = Path(__file__).resolve().parents[2]
HANG_S = 30
IMPORTS_S = 120


@dataclass(frozen=True)
class Request:
    """A command and the circumstances of its run.

    Parameters
    ----------
    argv : its words, the program's name left out.
    cwd : the folder that it runs in.
    folder : an empty folder for what it says.
    kill_s : seconds after which it is killed.
    kill_when : pattern of a file below ``cwd`` that, once there, has it killed.
    whole : whether all its processes are killed or the first alone.
    limits : resource limits by name (``RLIMIT_NOFILE``).
    dry : whether it stops where it would begin to make artifacts.
    limit_s : seconds after which it is killed as one that hangs.
    """

    argv: Sequence[str]
    cwd: str
    folder: str
    environment: Mapping[str, str] = field(default_factory=dict)
    kill_s: float | None = None
    kill_when: str = ""
    whole: bool = True
    limits: Mapping[str, int] = field(default_factory=dict)
    dry: bool = False
    limit_s: float = HANG_S


@dataclass(frozen=True)
class Outcome:
    """What became of a command: exit status (negative: a signal), its words, and the processes that outlived it."""

    argv: tuple[str, ...]
    status: int
    killed: str  # "", "moment" or "hang"
    seconds: float
    processes: tuple[str, ...]
    stdout: str
    stderr: str

    @property
    def verdict(self) -> str:
        """``ok``, ``line`` (an error that a user can fix), ``unclear`` (one that is no such line), ``traceback``,
        ``hang``, ``killed`` or ``died``."""
        if self.killed:
            return "hang" if self.killed == "hang" else "killed"
        if "Traceback (most recent call last)" in self.stderr:
            return "traceback"
        if self.status == 0:
            return "ok"
        return "line" if self.status == 2 and self.error else "died" if self.status < 0 else "unclear"

    @property
    def error(self) -> str:
        """The last line of what it said, if that is an error of one line."""
        last = (self.stderr.splitlines() or [""])[-1]
        return last if last.startswith("Error: ") else ""

    @property
    def brief(self) -> str:
        """The verdict and the last words, for a finding."""
        last = self.error or " / ".join(self.stderr.strip().splitlines()[-3:])
        return f"{self.verdict} (status {self.status}, {self.seconds:.1f} s): {last[-600:]}"


class Server(AbstractContextManager):
    """A process that runs commands without the cost of their imports, and where they leave names.

    Parameters
    ----------
    folder : of its own; commands find their temporary folder there.
    """

    def __init__(self, folder: Path):
        self.folder, self._count = folder, 0
        self.temporary = folder / "tmp"
        self.temporary.mkdir(parents=True)
        plain = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS", "COV"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.attacks.server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=plain | {"OMP_NUM_THREADS": "1", "PYTHONPATH": os.fspath(ROOT), "TMPDIR": os.fspath(folder)},
        )
        if not select.select([self._process.stdout], [], [], IMPORTS_S)[0]:
            raise RuntimeError("the server of the attacks did not begin")
        self.isolated = json.loads(self._process.stdout.readline())["isolated"]
        self._shared = set(self._names())

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process, and with it whatever it runs."""
        self._process.stdin.close()
        self._process.kill()
        self._process.wait()

    @property
    def root(self) -> Path:
        """The root of the file system as commands see it, with the small disks that were mounted for them."""
        return Path(f"/proc/{self._process.pid}/root") if self.isolated else Path("/")

    def start(self, argv: Sequence[object], cwd: Path, limit_s: float = HANG_S, **circumstances: object) -> Running:
        """Begin a command; where others crowd the processors, it may take longer."""
        limit_s *= max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))
        self._count += 1
        folder = self.folder / f"command-{self._count}"
        folder.mkdir()
        environment = {"TMPDIR": os.fspath(self.temporary)} | circumstances.pop("environment", {})
        request = Request(
            tuple(map(str, argv)), os.fspath(cwd), os.fspath(folder), environment, limit_s=limit_s, **circumstances
        )
        self._process.stdin.write(json.dumps(asdict(request)) + "\n")
        self._process.stdin.flush()
        return Running(request)

    def run(self, argv: Sequence[object], cwd: Path, **circumstances: object) -> Outcome:
        """Run a command to its end."""
        return self.start(argv, cwd, **circumstances).outcome()

    def within(self, words: Sequence[str]) -> None:
        """Run a program among the mounts that commands see."""
        subprocess.run(["nsenter", "--target", str(self._process.pid), "--mount", *words], check=True)

    def left(self) -> list[str]:
        """Names that commands left in shared memory and in the temporary folder; they are removed."""
        new = [*sorted(set(self._names()) - self._shared)]
        for name in new:
            (self.root / SHARED.relative_to("/") / name).unlink(missing_ok=True) if self.isolated else None
        own = sorted(self.temporary.iterdir())
        for path in own:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return [f"{SHARED}/{name}" for name in new] + [f"$TMPDIR/{path.name}" for path in own]

    def _names(self) -> list[str]:
        return os.listdir(self.root / SHARED.relative_to("/"))


class Running:
    """A command that runs."""

    def __init__(self, request: Request):
        self._request, self._start = request, time.monotonic()

    def outcome(self) -> Outcome:
        """Wait for its end and say what became of it."""
        folder = Path(self._request.folder)
        deadline = self._start + self._request.limit_s + GRACE_S + HANG_S
        while not (folder / "result.json").exists():
            if time.monotonic() > deadline:
                raise RuntimeError(f"nothing is known of {' '.join(self._request.argv)}, see {folder}")
            time.sleep(0.003)
        result = json.loads((folder / "result.json").read_text())
        said = {name: (folder / name).read_text("utf-8", "backslashreplace") for name in ("stdout", "stderr")}
        shutil.rmtree(folder)
        result["processes"] = tuple(result["processes"])
        return Outcome(argv=tuple(self._request.argv), **result, **said)
