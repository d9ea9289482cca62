"""Write a trained network in forms that others run, each compared with the network itself before it is given a name.

``model.onnx`` has the whole model card in it and is what ``predict`` takes as well; ``timm/`` loads by timm alone;
``model.torchscript`` and ``model.pt2`` load by torch alone. What does not answer as the network does is removed.
"""

from __future__ import annotations

import json
import logging
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.artifacts.atomic import replacing
from pipeline.errors import ArtifactError, ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np

    from pipeline.serving.formats import Format, Inputs, Trained
    from pipeline.serving.parity import Parity

TABLE = "export.json"
# What may be asked for, and what it is for.
FORMATS = {
    "onnx": "one file for ONNX Runtime, and for predict",
    "timm": "a folder for timm.create_model",
    "torchscript": "for torch.jit.load, which torch has deprecated",
    "pt2": "for torch.export.load",
}
DEFAULT = "onnx"
NOISE = 7  # inputs of seeded noise that every file is asked
TESTED = 64  # test inputs of the cache at most
BATCHES = (1, 5)  # samples in the first batch that a file is asked, and at most in the others

log = logging.getLogger(__name__)


def run(model: Path, names: Sequence[str], out: Path) -> Path:
    """Write a network in some formats.

    Parameters
    ----------
    model : folder of a teacher or a student; one that another process is making is waited for.
    names : of formats.
    out : folder of the results; made when missing.

    Returns
    -------
    The path of ``export.json``: by format the file, its megabytes, the largest difference and the agreement.

    Raises
    ------
    ConfigError : there is no such format, or the network does not fit one.
    ArtifactError : ``model`` is no trained model, or a file does not answer as it does.
    DataError : something else lies where a file is to be.
    MissingDependencyError : a package of the extra ``export`` is missing.
    """
    check_names(names)
    from pipeline.artifacts import results, uses
    from pipeline.serving import onnx_file, place
    from pipeline.serving.formats import FORMATS as WRITTEN
    from pipeline.serving.formats import Trained

    formats = {name: WRITTEN[name] for name in dict.fromkeys(names)}
    onnx_file.needed(*dict.fromkeys(package for one in formats.values() for package in one.packages))
    with uses.using(place.awaited(model)):
        trained = Trained.load(model)
        _check_fit(model, trained, formats)
        asked = list(_asked(model, trained))
    log.info("export: %s", model)
    expected = [trained.run(inputs) for inputs in asked]
    rows = []
    with results.filling(out):
        for name, form in formats.items():
            with _replaced(out / form.file) as draft:
                parity = _written(trained, form, draft, asked, expected)
            rows.append(_row(name, out / form.file, parity))
            log.info("%s: outputs differ by at most %.2g", form.file, parity.difference)
        stated = {"model": model.absolute().name, "files": rows}
        with replacing(out / TABLE) as draft:
            draft.write_text(json.dumps(stated, indent=1) + "\n", encoding="utf-8")
    return out / TABLE


def table(path: Path) -> str:
    """What ``export.json`` says, in columns."""
    head = ("format", "file", "MB", "largest difference", "answers")
    rows = [head, *(_cells(row) for row in json.loads(path.read_text(encoding="utf-8"))["files"])]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "\n".join("  ".join(map(str.ljust, row, widths)).rstrip() for row in rows)


def check_names(names: Sequence[str]) -> None:
    """Raise ConfigError where one of some names is of no format."""
    unknown = [name for name in names if name not in FORMATS]
    if unknown:
        raise ConfigError(f"FORMAT={','.join(names)}: {unknown[0]} is none. Name some of {', '.join(FORMATS)}")


def _check_fit(model: Path, trained: Trained, formats: dict[str, Format]) -> None:
    """Refuse a network that has no such form, and a card that does not say what is asked."""
    from pipeline.serving.formats import FORMATS as WRITTEN
    from pipeline.serving.parity import ANSWERS

    kind = trained.card.get("task", {}).get("kind")
    if kind not in ANSWERS:
        raise ArtifactError(
            f"{model} does not say a task that can be exported ({kind or 'none'}). Train it anew: make distill"
        )
    for name, form in formats.items():
        if fault := form.fault(trained):
            fitting = ",".join(other for other, one in WRITTEN.items() if not one.fault(trained))
            raise ConfigError(f"FORMAT={name} does not fit {model}: {fault}. Choose what fits: FORMAT={fitting}")


def _asked(model: Path, trained: Trained) -> Iterator[Inputs]:
    """The batches that every file is asked: seeded noise, and test inputs where the model's cache has them."""
    for raw in (trained.noise(NOISE), _test_inputs(model, trained)):  # these may be larger than what is read of them
        rows, start = len(next(iter(raw.values()), ())), 0
        while start < rows:
            size = BATCHES[start > 0]
            yield trained.made({name: values[start : start + size] for name, values in raw.items()})
            start += size


def _test_inputs(model: Path, trained: Trained) -> dict[str, np.ndarray]:
    """Test inputs from the cache that a model lies in, by modality; empty where they are not there."""
    from pipeline.artifacts import arrays
    from pipeline.serving import place

    prints = [trained.card.get(f"{name}_fingerprint") for name in ("inputs", "split")]
    folders = [place.beside(model, fingerprint) for fingerprint in prints if fingerprint]
    if len(folders) < 2 or None in folders:
        return {}
    inputs, split = folders
    assigned, columns = arrays.read_table(split.file("split.csv")), arrays.open_inputs(inputs)
    tested = assigned.loc[assigned["part"] == "test", "sample_id"]
    rows = columns.rows(tested[tested.isin(columns.sample_ids)][:TESTED])
    if not len(rows) or any(name not in columns for name in trained.reads):
        return {}
    return {name: columns[name][rows] for name in trained.reads}


@contextmanager
def _replaced(place: Path) -> Iterator[Path]:
    """A draft that takes the place of an earlier file or folder of ours when the block ends without an error."""
    suffix = f".draft{place.suffix}"  # torch wants its files' names to end so
    draft = place.with_name(place.name + suffix)
    shutil.rmtree(draft, ignore_errors=True)  # a killed run left it
    draft.unlink(missing_ok=True)
    if place.suffix:
        if place.is_dir():
            raise DataError(f"{place} must be a file, and a folder is in its place. Choose another folder: OUT=")
        with replacing(place, suffix) as draft:
            yield draft
        return
    names = {path.name for path in place.iterdir()} if place.is_dir() else set()
    if names - {"config.json", "model.safetensors"} or (place.exists() and not place.is_dir()):
        raise DataError(f"{place} holds what no export left there. Choose another folder: OUT=")
    try:
        yield draft
        shutil.rmtree(place, ignore_errors=True)
        draft.replace(place)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _written(
    trained: Trained, form: Format, draft: Path, asked: Sequence[Inputs], expected: Sequence[np.ndarray]
) -> Parity:
    """Write a draft, run it, and compare.

    Raises
    ------
    ArtifactError : it does not answer as the network does, or cannot be written or run at all.
    """
    import numpy as np

    from pipeline.serving import parity

    again = "Nothing was left of it; choose another format: FORMAT="
    try:
        form.write(trained, draft)
        ask = form.load(draft)
        answers = [ask(inputs) for inputs in asked]
    except (OSError, MemoryError):
        raise
    except Exception as error:  # exporters raise whatever a network leads them to
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ArtifactError(f"{form.file} cannot be made of this network: {reason}. {again}") from error
    alike = parity.compared(np.concatenate(expected), np.concatenate(answers), trained.card)
    if not alike.holds:
        raise ArtifactError(
            f"{form.file} does not answer as the network does: outputs differ by {alike.difference:.3g}, expected at "
            f"most {alike.bound:.3g}. {again}"
        )
    return alike


def _row(name: str, place: Path, parity: Parity) -> dict[str, Any]:
    files = place.iterdir() if place.is_dir() else [place]
    return {
        "format": name,
        "file": place.name,
        "megabytes": round(sum(file.stat().st_size for file in files) / 1e6, 3),
        "largest_difference": parity.difference,
        "agreement": parity.agreement,
        "difference_in_units": parity.in_units,
        "unit": parity.unit,
        "inputs": parity.inputs,
        "answers": parity.words,
    }


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    difference = f"{row['largest_difference']:.2g}"
    return row["format"], row["file"], f"{row['megabytes']:.3f}", difference, row["answers"]
