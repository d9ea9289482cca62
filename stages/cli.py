"""The command line: each command makes its artifact and, first, whatever that needs."""

from __future__ import annotations

import dataclasses
import logging
import os
import sys
from itertools import product
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from pipeline import __version__, presets
from pipeline.artifacts.raw_data import RawData
from pipeline.artifacts.store import ArtifactStore
from pipeline.config import (
    DEMO_SEEDS,
    DEMO_SETS,
    REPOSITORY,
    SHIPPED,
    SHIPPED_WEIGHTS,
    AlignConfig,
    PretrainConfig,
    SynthesizeConfig,
)
from pipeline.errors import ConfigError
from pipeline.tasks import PAIN, TASKS, find
from stages import housekeeping, params, pretrain, students_cli, surroundings, sweep, synthesize
from stages import teacher_labels as labels_stage
from stages.graph import Graph
from stages.options import ASKED, config_options, field_options
from stages.session import Session

log = logging.getLogger(__name__)

FIELDS = {field.name: field for config in (AlignConfig, SynthesizeConfig) for field in dataclasses.fields(config)}


@click.group(
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    epilog=f"What goes wrong outside is said in one line; {surroundings.TRACEBACK}=1 in the environment shows where.",
)
@click.version_option(__version__, prog_name="paindistill")
@click.option("--quiet", is_flag=True, help="Only warnings and results.")
def cli(quiet: bool) -> None:
    """Distil small recognisers of the facial expression of pain from cached teachers."""
    logging.basicConfig(stream=sys.stderr, format="%(message)s", level=logging.WARNING if quiet else logging.INFO)


for command in students_cli.COMMANDS:
    cli.add_command(command)


def main() -> None:
    """Run the command line: what a user can fix is one line and status 2, a bug keeps its traceback."""
    with surroundings.told():
        cli(prog_name="paindistill", standalone_mode=False)


@cli.command("index")
@config_options("index")
def index_command(**values: Any) -> None:
    """List the samples of the raw dataset with all that it knows of them."""
    session = Session("index", values)
    session.make(session.samples)


@cli.command("align")
@config_options("align")
def align_command(**values: Any) -> None:
    """Find every face once and warp it to the template."""
    _prepare("align", values)


@cli.command("resize")
@config_options("resize")
def resize_command(**values: Any) -> None:
    """Bring every frame to one size."""
    _prepare("resize", values)


@cli.command("window")
@config_options("window")
def window_command(**values: Any) -> None:
    """Clean every recorded signal and bring all to one rate, length and scale."""
    _prepare("window", values)


@cli.command("split")
@config_options("split")
def split_command(**values: Any) -> None:
    """Divide the subjects into training, validation and test."""
    session = Session("split", values)
    session.make(*session.graph.splits)


@cli.command("teacher")
@config_options("train_teacher", models="teacher")
def teacher_command(**values: Any) -> None:
    """Train the teachers."""
    session = Session("train_teacher", values)
    grid = product(session.graph.graphs, session.teachers, session.selection.folds)
    session.make(*[node for graph, name, folds in grid for node in graph.teachers(name, folds).values()])


@cli.command("teacher-labels")
@config_options("teacher_labels", models="labels")
def labels_command(**values: Any) -> None:
    """Let each teacher label every sample once."""
    session = Session("teacher_labels", values)
    for artifact in session.make(*session.label_caches()):
        counts, size = artifact.summary["counts"], artifact.summary["bytes_per_view"]
        log.info(
            "%s: %d of %d views computed, %d copied, %g bytes for each sample and view",
            *(artifact.slug, counts["views_computed"], counts["views"], counts["views_copied"], size),
        )


@cli.command("verify-labels")
@config_options("teacher_labels", models="labels")
@click.option(
    "--share",
    type=params.Number(0, 1, min_open=True),
    default=0.01,
    show_default=True,
    help="Share of the rows to ask again.",
)
def verify_command(share: float, **values: Any) -> None:
    """Ask each teacher again for some samples and compare with its cached labels."""
    session = Session("teacher_labels", values)
    for node in session.label_caches():
        samples, inputs, split = session.store.build(*(node.inputs[name] for name in ("samples", "inputs", "split")))
        teachers = session.build(*[made for name, made in node.inputs.items() if name.startswith("teacher")])
        (labels,) = session.build(node)
        rows = labels_stage.verify(node.config, labels, samples, inputs, split, teachers, share=share)
        click.echo(f"{labels.path.name}: {rows} rows asked again, all labels equal")


@cli.command("distill")
@config_options("distill", models="students")
def distill_command(**values: Any) -> None:
    """Train the students of the cached teachers, and the one without a teacher."""
    session = Session("distill", values)
    session.make(*session.graph.runs(session.selection))


@cli.command("evaluate")
@config_options("evaluate", models="students")
def evaluate_command(**values: Any) -> None:
    """Measure teachers and students on the test subjects."""
    session = Session("evaluate", values)
    session.make(*session.graph.evaluations(session.selection))


@cli.command("report")
@config_options("report", models="students")
def report_command(**values: Any) -> None:
    """Compare teachers and students in one page, with tables and figures."""
    _report(Session("report", values))


@cli.command("sweep")
@config_options("report", models="students")
def sweep_command(**values: Any) -> None:
    """Train and measure a grid of students from the caches, one row a run in runs.csv, and report on it."""
    session = Session("report", values)
    graph, store, chosen = session.graph, session.store, session.selection
    grid = graph.pooled_runs(chosen)
    click.echo(sweep.announce(store, grid, [graph.report(chosen)]))
    session.build(*graph.caches(chosen))
    table = sweep.RunTable(store.root / "runs.csv")
    for number, models in enumerate(grid, 1):
        log.info("run %d of %d, %s", number, len(grid), sweep.left(store, grid))
        students = session.build(*models)
        evaluations = session.build(*map(graph.evaluation, models))
        table.add(list(zip(students, evaluations, strict=True)))
    click.echo(housekeeping.shown(table.path))
    _report(session)


@cli.command("status")
@config_options("report", models="students")
@click.option("--verify", type=params.Switch(), default=False, help="Read every file and compare it with its record.")
def status_command(verify: bool, **values: Any) -> None:
    """Show every artifact: fresh, missing, partial, damaged, stale or foreign, its size and why."""
    session = Session("report", values, makes=False)
    housekeeping.status(session.store, session.graph.report(session.selection), verify)


@cli.command("plan")
@config_options("report", models="students")
def plan_command(**values: Any) -> None:
    """Show what `report` would run and why; run nothing."""
    session = Session("report", values, makes=False)
    housekeeping.plan(session.store, session.graph.report(session.selection))


@cli.command("gc")
@config_options("report", models="students")
@click.option("--yes", type=params.Switch(), default=False, help="Remove without asking.")
def gc_command(yes: bool, **values: Any) -> None:
    """Remove the artifacts that no task needs under these options, after naming them."""
    session = Session("report", values, makes=False)
    same = values | {"data": session.preset.data, "preset": session.preset.name, **dict.fromkeys(ASKED)}
    if values["losses"] is not None:  # the name of a sweep is one task's
        same["losses"] = ",".join(loss.replace(",", "+") for loss in session.selection.losses)
    wanted = [session.wanted()]
    for name in TASKS:
        try:
            wanted.append(Session("report", same | {"task": name}, makes=False).wanted())
        except ConfigError as error:
            log.info("TASK=%s has no artifacts under these options: %s", name, error)
    housekeeping.collect(session.store, wanted, yes)


@cli.command("synthesize")
@field_options(SynthesizeConfig)
@click.option("--out", type=params.Place(), required=True, help="Folder of the pictures and truth.csv.")
@click.option(
    "--task",
    type=params.Text(),
    help=f"Make a task's shipped set ({', '.join(TASKS)}), but for what other options say.  [default: none]",
)
@click.pass_context
def synthesize_command(context: click.Context, out: Path, task: str | None, **values: Any) -> None:
    """Make a synthetic set with its truth: faces with known action units, signals of pain, or landscapes on fire."""
    shipped = synthesize.recipe_of(DEMO_SETS / find(task).demo) if task else {}
    given = {name: values[name] for name in values if context.get_parameter_source(name) is ParameterSource.COMMANDLINE}
    click.echo(housekeeping.shown(synthesize.run(SynthesizeConfig(**values | shipped | given), out)))


@cli.command("pretrain")
@field_options(PretrainConfig)
@click.option(
    "--n",
    type=params.of(FIELDS["n"]),
    default=2400,
    show_default=True,
    help="Pairs of faces to render and learn from.",
)
@click.option(
    "--faces-seed",
    type=params.of(FIELDS["seed"]),
    default=1000,
    show_default=True,
    help="Seed of their identities, not a demo set's.",
)
@click.option(
    "--height",
    type=params.of(FIELDS["height"]),
    default=224,
    show_default=True,
    help="Height of their pictures in pixels.",
)
@click.option(
    "--workers",
    type=params.of(FIELDS["workers"]),
    default=0,
    show_default=True,
    help="Processes that render and align; 0 uses every core.",
)
@click.option(
    "--out",
    type=params.Place(),
    default=SHIPPED_WEIGHTS,
    help="Folder of the weights and cards.  [default: data/demo/weights]",
)
@click.option(
    "--cache",
    type=params.Place(),
    default=REPOSITORY / "cache",
    help="Folder of artifacts.  [default: cache]",
)
def pretrain_command(n: int, faces_seed: int, height: int, workers: int, out: Path, cache: Path, **values: Any) -> None:
    """Pretrain the demo set's backbones on other synthetic identities."""
    config = PretrainConfig(**values)
    if faces_seed in DEMO_SEEDS.values():
        raise ConfigError(f"FACES_SEED={faces_seed} is the demo set's: its people must stay unseen. Give another seed.")
    recipe = SynthesizeConfig(n=n, seed=faces_seed, height=height, quality=92, workers=workers)
    store = ArtifactStore(cache / f"synthetic-{n}-{faces_seed}-{height}")
    folder = synthesize.run(recipe, store.root / "raw")
    place = {"data": os.fspath(folder), "workers": workers}
    base = presets.preset(PAIN, "demo").changed({"index": place, "align": place | {"device": config.device}})
    graph = Graph(base, RawData(folder, store.root / ".hashes.json"))
    nodes = [graph.pretrained(family, SHIPPED, config) for family in SHIPPED]
    for artifact in store.build(*nodes):
        click.echo(housekeeping.shown(pretrain.export(artifact, out)))


def _prepare(stage: str, values: dict[str, Any]) -> None:
    """Prepare the inputs of a task, if it is this stage that does it."""
    session = Session(stage, values)
    task = session.preset.task
    if task.prepare != stage:
        others = " or ".join(f"TASK={name}" for name, other in TASKS.items() if other.prepare == stage)
        raise ConfigError(
            f"TASK={task.name} reads {task.samples}, which `{task.prepare}` prepares, not `{stage}`. Run "
            f"make {task.prepare} TASK={task.name}" + (f", or choose another task: {others}" if others else "")
        )
    session.make(session.inputs)


def _report(session: Session) -> None:
    """Make the report, let ``report`` point to it, and say where it is."""
    (artifact,) = session.build(session.graph.report(session.selection))
    artifact.verify()
    latest = housekeeping.point(session.store.root / "report", artifact.path)
    click.echo(housekeeping.shown(latest / "index.html"))
