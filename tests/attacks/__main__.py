"""The long form: ``python -m tests.attacks [--seed N] [--only kills,damage:17] [--scale 1.0]``.

Two attacks run side by side. Progress is on standard error; at the end a table on standard output and one line of
figures. A failure says with what it is run again, and makes the exit status 1.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue

from tests.attacks import campaign
from tests.attacks.outcome import Server
from tests.attacks.world import World

LANES = 2


def main(words: Sequence[str] | None = None) -> int:
    """Run the attacks that are asked for; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.attacks", description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parts = ", ".join(campaign.PARTS)
    parser.add_argument("--only", default="", help=f"of {parts}, with commas; one attack: kills:17, kills:17:pain")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the long form's counts")
    asked = parser.parse_args(words)
    attacks = campaign.chosen(asked.only, asked.scale)
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="paindistill-attacks-") as root:
        results = _run(Path(root), asked.seed, attacks)
    print(campaign.table(results, asked.seed))
    print(campaign.line(results, asked.seed, time.monotonic() - start))
    return int(any(result.findings for result in results))


def _run(root: Path, seed: int, attacks: Sequence[tuple[str, int, str]]) -> list[campaign.Result]:
    """Every attack, two at a time, each lane with a server of its own."""
    servers: SimpleQueue[Server] = SimpleQueue()
    lanes = [Server(root / f"server-{lane}") for lane in range(LANES)]
    try:
        world = World(root / "world", lanes[0], tuple(dict.fromkeys(task for _, _, task in attacks)))
        for lane in lanes:
            servers.put(lane)

        def one(attack: tuple[str, int, str]) -> campaign.Result:
            server = servers.get()
            try:
                return campaign.run(world, server, root, seed, *attack)
            finally:
                servers.put(server)

        results = []
        with ThreadPoolExecutor(LANES) as threads:
            for result in threads.map(one, attacks):
                results.append(result)
                _tell(result, len(results), len(attacks))
        if changed := world.check():
            raise RuntimeError(f"a finished file was written in place: {', '.join(changed[:5])}")
        return results
    finally:
        for lane in lanes:
            lane.close()


def _tell(result: campaign.Result, done: int, of: int) -> None:
    for kind, told in result.findings:
        print(f"{kind}: {told}\n    again: {result.again}", file=sys.stderr)
    if done % 20 == 0 or done == of:
        print(f"{done} of {of} attacks", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
