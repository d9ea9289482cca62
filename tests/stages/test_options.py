"""Every option takes ordinary values: derived from its type, or from the table of texts here.

It is tried in two of its commands or, asked for, in all.
"""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from pipeline.errors import PainDistillError
from stages import params
from stages.cli import cli
from tests.helpers.commands import Ready, attempt, chosen_options, every_option, stop_before_work

# Of every option that takes any text or path: what somebody would give.
TEXTS = {
    "task": ("pain", "expression", "skin-conductance", "fire-smoke", "intensity", "landmarks"),
    "teacher": ("swin", "resnet,swin,none", "resnet+swin", "vit_tiny_patch16_224"),
    "student": ("deit", "deit,resnet18"),
    "levels": ("0,4", "0|1,2|3,4"),
    "labels": ("fire", "fire,smoke"),
    "target": ("pspi", "phq_score"),
    "bounds": ("0,16", "0,27"),
    "truth_loss": ("label", "label:1"),
    "loss": ("hard", "soft:0.7,hint:0.3", "soft+label"),
    "losses": ("hard", "hard,soft:0.7+hint:0.3"),
    "views": ("1", "1,6"),
    "folds": ("0", "0,4"),
    "labelled": ("0", "10,0.25,0"),
    "seed": ("1", "0,1,2"),
    "features": ("hidden", "hidden,map"),
    "cv": ("0", "5", "subject"),
    "unseen": ("demo-pain",),
    "scheduler": ("tcp://127.0.0.1:8786",),
    "channel": ("gsr", "gsr,ecg"),
    "columns": ("path=photo", "rgb_frame=image,ir_frame=thermal,clip=flight"),
    "filters": ("stretch", "stretch,clahe,minmax"),
    "stop_on": ("val_loss", "val_balanced_accuracy"),
    "weights": ("random", "shipped", "hub"),
    "device": ("auto", "cpu", "cuda", "cuda:1"),
    "data": ("data/demo/expression", "data/demo/pain,data/demo/expression"),
    "cache": ("elsewhere",),
    "out": ("results",),
    "source": ("data/demo/pain",),
    "model": ("data/demo/weights",),
    "sample": ("1000000033_NoPain_Man_Young.jpg#right",),
    "output": ("pain", "p30"),
    "host": ("127.0.0.1", "localhost"),
    "formats": ("onnx", "timm,torchscript,pt2"),
}
PREFIXES = ("teacher_", "labels_", "split_")
# What an option alone cannot mean, and the part of the message that says what goes with it.
ALONE = {
    **{f"--levels {text}": "are no levels" for text in ("0,4", "0|1,2|3,4")},
    **{f"--labels {text}": "has no labels" for text in ("fire", "fire,smoke")},
    **{f"--target {text}": "asks for no number" for text in ("pspi", "phq_score")},
    **{f"--range {text}": "asks for no number" for text in ("0,16", "0,27")},
    **{f"--points {text}": "asks for no points" for text in (68, 29)},
    "--mix mixup": "VIEWS=2",
    "--split-by sample": "I_KNOW_IT_LEAKS=1",
    "--cv subject": "make index",  # plan, status and gc make nothing, so that nobody knows the subjects
    **dict.fromkeys(("--max-files 1", "--max-files 8"), "MAX_FILES="),  # the demo set has more
    # A stage that prepares inputs takes the tasks that it prepares them for.
    **{f"--task {name}": "make align TASK=" for name in ("pain", "expression", "intensity", "landmarks")},
    "--task skin-conductance": "make window TASK=",
    "--task fire-smoke": "make resize TASK=",
    "--weights shipped": "WEIGHTS=random",  # the smoke preset's networks are not shipped
    "--teacher-weights shipped": "WEIGHTS=random",
}


def texts(name: str) -> tuple[str, ...]:
    """The ordinary texts of an option, by its name or, without its stage's prefix, by its field's."""
    names = [name, *(name.removeprefix(prefix) for prefix in PREFIXES)]
    return next((TEXTS[name] for name in names if name in TEXTS), ())


def ordinary(option: click.Option) -> tuple[str, ...]:
    """Values that anybody may give: the first choice and the last, a number's lower bound and one inside, or texts."""
    kind = option.type
    if isinstance(kind, click.Choice):
        return kind.choices[0], kind.choices[-1]
    if isinstance(kind, click.types.BoolParamType):
        return "true", "false"
    if isinstance(kind, click.IntRange):
        return str(kind.min), str(min(kind.min + 7, kind.max))
    if isinstance(kind, click.FloatRange):
        inside = kind.min + (kind.max - kind.min) / 4
        return f"{inside:g}", *([] if kind.min_open else [f"{kind.min:g}"])
    return texts(option.name)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Where caches and results of this module go; nothing runs."""
    folder = tmp_path_factory.mktemp("options")
    with pytest.MonkeyPatch.context() as patch:
        stop_before_work(patch, folder)
        yield folder


def pytest_generate_tests(metafunc):
    if "tried" in metafunc.fixturenames:
        everywhere = metafunc.config.getoption("every_command")
        metafunc.parametrize("tried", chosen_options(everywhere), ids=str)


def test_every_option_takes_ordinary_values(tried, folder):
    values = ordinary(tried.option)
    assert values, f"{tried}: say in this file what is ordinary for it"
    for value in values:
        path = str(folder / value) if tried.option.name in ("cache", "out") else value
        error = attempt(tried.command, {tried.flag: path}, folder).exception
        if isinstance(error, PainDistillError):
            assert ALONE[f"{tried.flag} {value}"] in str(error)
        else:
            assert error is None or isinstance(error, Ready), f"{tried} {value}"


@pytest.mark.parametrize("name", sorted(cli.commands))
def test_the_help_of_a_command_shows_every_option_and_says_something_of_it(name):
    shown = CliRunner().invoke(cli, [name, "--help"]).output
    for option in cli.commands[name].params:
        assert all(flag in shown for flag in option.opts)
        assert len(option.help or "") > 5, option.name


def test_every_number_has_an_upper_bound():
    kinds = (click.types.IntParamType, click.types.FloatParamType)
    numbers = [tried for tried in every_option() if isinstance(tried.option.type, kinds)]
    assert len(numbers) > 100
    for tried in numbers:
        assert isinstance(tried.option.type, params.Whole | params.Number), str(tried)
        assert tried.option.type.max is not None, str(tried)
