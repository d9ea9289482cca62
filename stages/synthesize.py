"""Synthetic faces, in pairs of SynPAIN's form or singly by expression, simulated signals of BioVid's, or a drone's
frames of landscapes, with their truth, in a plain folder."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import msgspec

from pipeline.artifacts.files import ABSENT, open_regular
from pipeline.config import SynthesizeConfig, fingerprinted
from pipeline.errors import ConfigError, DataError, MissingDependencyError

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.synth.forms import Form

JOURNAL = "truth.partial.jsonl"
TRUTH = "truth.csv"
RECIPE = "synthesize.json"
Row = dict[str, str | int | float | bool | None]  # of truth.csv

PIECE = 10  # files that a process makes before it reports


def run(config: SynthesizeConfig, out: Path) -> Path:
    """Make `config.n` files of a form in `out` and write truth.csv, the form's tables and synthesize.json beside them.

    A file depends on (seed, number) alone, a picture on its size and quality too. Files that are there, with their
    truth, are kept: an interrupted run resumes, a larger n adds to what is there.

    Raises
    ------
    ConfigError : a size or quality of pictures is asked of a form that has none.
    DataError : `out` holds files made with another seed, size, quality or version, or damaged ones.
    MissingDependencyError : a package that makes the form, or an off-screen OpenGL for faces, is missing.
    """
    import pandas as pd
    from tqdm import tqdm

    from pipeline.artifacts import results
    from pipeline.artifacts.atomic import replacing
    from pipeline.synth.forms import FORMS

    form = FORMS[config.form]
    config = _sized(config, form)
    out = Path(out)
    recipe = _recipe(config, form)
    with results.filling(out):
        _check_recipe(out, recipe)
        _write_recipe(out, recipe)
        rows = _finished_rows(out, form)
        plans = [form.plan(config.seed, number) for number in range(config.n)]
        _check_size(out, rows, plans, form.unit)
        missing = [
            p for p in plans if p.file not in rows or not all((out / f).exists() for f in (p.file, *form.beside(p)))
        ]
        with (out / JOURNAL).open("a") as journal, tqdm(total=len(missing), unit="file", disable=None) as bar:
            for made in _make(missing, config, out):
                for file, truth in made:
                    rows[file] = truth
                    journal.write(json.dumps(truth) + "\n")
                    bar.update()
                journal.flush()
        table = pd.DataFrame([row for p in plans for row in rows[p.file]])
        for name, made_of in {TRUTH: lambda truth: truth, **form.tables}.items():
            with replacing(out / name, ".partial") as draft:
                made_of(table).to_csv(draft, index=False, lineterminator="\n")
        (out / JOURNAL).unlink()
        _write_recipe(out, recipe | {"counts": _counts(table, form)})
    return out


def _sized(config: SynthesizeConfig, form: Form) -> SynthesizeConfig:
    """The config with the form's own height and quality where none are asked."""
    for name in ("height", "quality"):
        asked = getattr(config, name)
        if asked and not getattr(form, name):
            raise ConfigError(
                f"{name.upper()}={asked} is of pictures, FORM={config.form} makes {form.unit} of signals. "
                f"Leave it out: make synthesize FORM={config.form}"
            )
    return replace(config, height=config.height or form.height, quality=config.quality or form.quality)


def _make(plans: list, config: SynthesizeConfig, out: Path):
    """Make the files, a piece at a time, in processes of this machine; yields lists of (file, rows)."""
    from joblib import delayed

    from pipeline.compute import cluster

    pieces = [plans[start : start + PIECE] for start in range(0, len(plans), PIECE)]
    tasks = [delayed(_make_piece)(piece, config, str(out)) for piece in pieces]
    return cluster.unordered(tasks, workers=config.workers)


def _make_piece(plans: list, config: SynthesizeConfig, out: str) -> list:
    from pipeline.synth.forms import FORMS

    return [(what.file, FORMS[config.form].make(what, config, Path(out) / what.file)) for what in plans]


def _recipe(config: SynthesizeConfig, form: Form) -> dict:
    """What decides the files: the config, the version of the code that makes them and of the packages under it."""
    return {"config": fingerprinted(config), "renderer": form.version, "packages": _packages(config.form, form)}


def _packages(name: str, form: Form) -> dict[str, str]:
    """Versions of the packages that make the files."""
    try:
        return {package: version(package) for package in form.packages}
    except PackageNotFoundError as error:
        raise MissingDependencyError(
            f"FORM={name} needs the package {error.name}. Install the extra: pip install 'paindistill[synth]'"
        ) from error


class _Recipe(msgspec.Struct):
    """What must stand in the recipe of a folder that is to be gone on with."""

    config: dict[str, int | str]
    renderer: int


def recipe_of(folder: Path) -> dict:
    """The options by which a set was made, without those that change nothing."""
    return json.loads((folder / RECIPE).read_text())["config"]


def _write_recipe(out: Path, recipe: dict) -> None:
    from pipeline.artifacts.atomic import replacing

    with replacing(out / RECIPE) as draft:
        draft.write_text(json.dumps(recipe, indent=1) + "\n")


def _check_recipe(out: Path, recipe: dict) -> None:
    """Refuse to mix two recipes in one folder; n may differ. An option that was not recorded had its default."""
    path = out / RECIPE
    if not os.path.lexists(path):
        return
    try:
        with open_regular(path) as file:
            there = msgspec.json.decode(file.read(), type=_Recipe)
    except (*ABSENT, msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise _damaged(path, error) from error
    old = {**fingerprinted(SynthesizeConfig()), **there.config, "renderer": there.renderer, "n": None}
    new = {**recipe["config"], "renderer": recipe["renderer"], "n": None}
    if old != new:
        differing = ", ".join(
            f"{key} {old.get(key)} there, {new[key]} asked" for key in new if old.get(key) != new[key]
        )
        raise DataError(f"{out} holds files of another recipe ({differing}). Choose another folder: OUT=<new folder>")


def _damaged(path: Path, error: Exception) -> DataError:
    reason = (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
    return DataError(f"{path} is damaged ({reason}). Remove it, or choose another folder: OUT=<new folder>")


def _check_size(out: Path, rows: dict, plans: list, unit: str) -> None:
    """Refuse to leave files in the folder that the truth no longer mentions."""
    if not set(rows) <= {what.file for what in plans}:
        raise DataError(
            f"{out} holds {len(rows)} {unit}, {len(plans)} asked. Ask for N={len(rows)} or more, or choose another OUT="
        )


def _finished_rows(out: Path, form: Form) -> dict[str, list[dict]]:
    """Truth of the files that earlier runs finished, by file name."""
    import pandas as pd

    rows: dict[str, list[dict]] = {}
    if os.path.lexists(out / TRUTH):
        try:
            with open_regular(out / TRUTH) as file:
                table = pd.read_csv(file, dtype={"subject_id": str})
            lacking = {"file", "region", *form.counted} - set(table)
            if lacking:
                raise ValueError(f"it lacks {', '.join(sorted(lacking))}")
        except (*ABSENT, ValueError) as error:
            raise _damaged(out / TRUTH, error) from error
        for file, truth in table.groupby("file", sort=False):
            rows[str(file)] = truth.to_dict("records")
    if (out / JOURNAL).is_file():
        for line in (out / JOURNAL).read_bytes().splitlines():
            with suppress(msgspec.MsgspecError):  # of the line that a kill cut short
                truth = msgspec.json.decode(line, type=Annotated[list[Row], msgspec.Meta(min_length=1)])
                rows[str(truth[0].get("file"))] = truth
    return rows


def _counts(table: pd.DataFrame, form: Form) -> dict:
    """How many files there are, and how many of each kind."""
    counted = table[table.region == form.region]
    return {form.unit: len(counted)} | {
        name: {str(k): int(v) for k, v in counted[name].value_counts().sort_index().items()} for name in form.counted
    }
