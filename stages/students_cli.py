"""The commands that put a trained network to work, wherever it lies; where none is named, the task's newest student."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any, TypeVar

import click

from pipeline.config import AlignConfig
from pipeline.serving_config import ExplainConfig, PredictConfig, ServeConfig
from stages import benchmark, compress, distill, explain, export, housekeeping, params, predict, serve
from stages.options import asked, common_options, config_options, configured, field_options, listed, store_for
from stages.session import ROLES, Session

Config = TypeVar("Config")
FIELDS = {field.name: field for field in dataclasses.fields(AlignConfig)}
DEVICE = click.option(
    "--device", type=params.of(FIELDS["device"]), default="auto", show_default=True, help="cpu, cuda, cuda:N, or auto."
)
STUDENTS_OF = click.option(
    "--data",
    type=params.of(FIELDS["data"]),
    help="Dataset whose students count.  [default: all in the cache; the demo set's is made]",
)
MODEL = click.option(
    "--model",
    type=params.Place(),
    help="Folder of a trained model, or an ONNX file that export or compress wrote.  "
    "[default: the task's newest student, with a teacher if there is one]",
)
ROLE = click.option(
    "--role",
    type=params.OneOf(ROLES),
    default=ROLES[0],
    show_default=True,
    help="Which networks: the first selected student with a teacher, the selected teachers, or both.",
)


@click.command("predict")
@click.option(
    "--input",
    "source",
    type=params.Place(),
    required=True,
    help="Picture, video, folder, pattern, list of paths (.txt), or number of a camera.",
)
@click.option(
    "--out",
    type=params.Place(),
    default=Path("predictions"),
    show_default=True,
    help="Folder of the table and the annotated copies.",
)
@MODEL
@DEVICE
@field_options(PredictConfig)
@common_options
@STUDENTS_OF
def predict_command(source: Path, out: Path, model: Path | None, device: str, **values: Any) -> None:
    """Recognise what the task asks in pictures, videos or signals."""
    config = _taken(PredictConfig, values)
    model = model or _newest_student(values | {"device": device})
    click.echo(housekeeping.shown(predict.run(source, model, out, device, config)))


@click.command("export")
@click.option(
    "--model",
    type=params.Place(),
    help="Folder of a teacher or a student.  [default: the task's newest student, with a teacher if there is one]",
)
@click.option(
    "--format",
    "formats",
    type=params.Text(),
    default=export.DEFAULT,
    show_default=True,
    help=f"Several with commas: {'; '.join(f'{name}, {use}' for name, use in export.FORMATS.items())}.",
)
@click.option("--out", type=params.Place(), default=Path("exported"), show_default=True, help="Folder of the files.")
@DEVICE
@common_options
@STUDENTS_OF
def export_command(model: Path | None, formats: str, out: Path, device: str, **values: Any) -> None:
    """Write a trained network as ONNX, for timm or for torch, each file compared with the network."""
    names = listed("FORMAT", formats)
    export.check_names(names)
    model = model or _newest_student(values | {"device": device})
    written = export.run(model, names, out)
    click.echo(export.table(written))
    click.echo(housekeeping.shown(written))


@click.command("compress")
@config_options("compress", models="students")
@ROLE
def compress_command(role: str, **values: Any) -> None:
    """Make a network smaller: pruned and trained again from the caches, in int8, or both."""
    session = Session("compress", values)
    for artifact in session.make(*map(session.first.compressed, session.networks(role))):
        for row in artifact.summary["files"]:
            click.echo(compress.told(row))


@click.command("benchmark-student")
@config_options("benchmark", models="students")
@ROLE
def benchmark_command(role: str, **values: Any) -> None:
    """Size, speed and accuracy of a network and of its compressed forms, in one table."""
    session = Session("benchmark", values)
    for artifact in session.make(*map(session.first.benchmark, session.networks(role))):
        click.echo(benchmark.table(artifact))


@click.command("explain")
@click.option(
    "--input",
    "source",
    type=params.Place(),
    help="Picture, folder, pattern, or list of paths (.txt); or give SAMPLE.",
)
@click.option(
    "--sample",
    type=params.Text(),
    default="",
    help="A sample_id of the cache that the model lies in, in place of INPUT.",
)
@click.option(
    "--out",
    type=params.Place(),
    default=Path("explained"),
    show_default=True,
    help="Folder of the table and the overlays.",
)
@MODEL
@DEVICE
@field_options(ExplainConfig)
@common_options
@STUDENTS_OF
def explain_command(
    source: Path | None, sample: str, out: Path, model: Path | None, device: str, **values: Any
) -> None:
    """Show by heat maps which parts of a face or a frame an answer rests on."""
    config = _taken(ExplainConfig, values)
    explain.check_asked(source, sample)
    model = model or _newest_student(values | {"device": device})
    click.echo(housekeeping.shown(explain.run(source, sample, model, out, device, config)))


@click.command("serve")
@MODEL
@DEVICE
@field_options(ServeConfig)
@common_options
@STUDENTS_OF
def serve_command(model: Path | None, device: str, **values: Any) -> None:
    """Serve a trained network as a page and an API, on this machine."""
    config = _taken(ServeConfig, values)
    serve.run(model or _newest_student(values | {"device": device}), device, config)


def _taken(kind: type[Config], values: dict[str, Any]) -> Config:
    """The config of a kind, of options that are taken out of all."""
    return kind(**{field.name: values.pop(field.name) for field in dataclasses.fields(kind)})


def _newest_student(values: dict[str, Any]) -> Path:
    """The newest student of the task; when there is none, the first that the preset's grid has is made."""
    cache = store_for(configured(values, "distill"), values["cache"]).root if values["data"] else values["cache"]
    student = predict.newest_student(cache, asked(values), distill.VERSION)
    if student:
        return student
    session = Session("distill", values)
    return session.build(session.graph.runs(session.selection)[0])[0].path


COMMANDS = (
    predict_command,
    export_command,
    explain_command,
    serve_command,
    compress_command,
    benchmark_command,
)
