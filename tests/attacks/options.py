"""Hostile values for every option of every command, found by asking click: refused in one line, or harmless.

A value is tried without work first; what is accepted is then sometimes run for a while, and always when it is a number
so large that memory or time must end first.
"""

from __future__ import annotations

import click

from stages.cli import cli
from tests.attacks.arena import SILENT, Arena

NAME, COUNT, WHAT = "options", 110, "hostile options"
VALUES_EACH = 10
MEMORY = {"RLIMIT_DATA": 12 * 2**30}  # more than a command of this world needs, less than the machine has
WORK_S, WORKED = 10, 0.08  # how long an accepted value is run, and which share of them
HUGE = 10**9
ENDLESS = ("serve",)  # commands that work until they are told to end

LONG = "x" * 5000
TEXTS = (
    *("", " ", ",", ",,,", "+", "a+", "none,none", "-", "--", ".", "..", "nan", "0", "-1", "٣", "1e9", "true"),
    *(LONG, f"{LONG}," * 20, "\udcff\udcfe", "é\u202e\u0000x".replace("\0", ""), "a\rb", "a\nb", "\x1b[2J", "%s%n{0}"),
    *("None", "null", "[]", "{}", "hard:nan", "hard:inf", "soft:1e308", "hard:", "soft@", "1,1,1", "9" * 5000),
)
NEVER = ("nan", "inf", "-inf", "1e400", "٣", "٣٫٥", "NaN", "Infinity")  # no option takes these for a number
NUMBERS = (
    *("", " ", "-1", "0", "-0", "1e9", "1.5", "0x10", "1e-400", "2" * 400, "abc", "1,2", "\udcff", LONG),
    *(str(HUGE), str(2**31), str(2**63), str(2**64), str(10**18), *NEVER),
)
PATHS = (
    *("", " ", ".", "..", "/dev/null", "/dev/full", "/dev/zero", "/proc/self/mem", "/proc", "/sys", "/dev/null/at/all"),
    *(LONG, "/".join(["y" * 200] * 30), "\udcff", "a\nb", "a\rb", "~", "$HOME", "*", "/dev/stdin", "a/../../.."),
    *("/etc/passwd", "cache", "cache/cache", ",", ",,,", "a,a"),
)
PLACES = ("data", "weights", "scheduler", "input", "dataset")  # texts that mean a place


def attack(arena: Arena) -> None:
    """Try some values."""
    place = arena.place()
    for _ in range(VALUES_EACH):
        command = arena.random.choice(sorted(cli.commands))
        option = arena.random.choice(cli.commands[command].params)
        _try(arena, place, command, option, arena.random.choice(_values(option)))
        arena.count += 1


def _values(option: click.Parameter) -> tuple[str, ...]:
    if isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType)):
        return NUMBERS
    path = isinstance(option.type, click.Path) or option.name in PLACES
    return PATHS + (TEXTS if option.name in PLACES else ()) if path else TEXTS


def _try(arena: Arena, place, command: str, option: click.Parameter, value: str) -> None:
    """A value without work, then, where it is accepted, with some."""
    given = {"input": arena.reference.data, "out": "out", "yes": "true", "n": 1}
    words = [*arena.reference.argv(command, **given), f"{option.opts[0]}={value}"]
    outcome = arena.judge(arena.server.run(words, place, dry=True, limits=MEMORY))
    if outcome.verdict != "ok" or command in ENDLESS:
        return
    number = isinstance(option.type, (click.types.IntParamType, click.types.FloatParamType))
    if number and value in NEVER:
        arena.note(SILENT, f"{command} {option.opts[0]}={value} is accepted")
    large = number and value.isascii() and value.isdigit() and int(value) >= HUGE
    if large:
        arena.judge(arena.server.run(words, place, limits=MEMORY), " (with work)")
    elif arena.random.random() < WORKED:
        outcome = arena.judge(arena.server.run(words, place, limits=MEMORY, kill_s=WORK_S), " (with work)")
        if outcome.verdict == "killed":
            arena.server.left()  # what a killed run leaves, the next one removes: that is looked at among the kills
