"""Compare teachers and students in one page that opens anywhere, with its tables and figures as files.

Writes ``index.html`` (self-contained), ``tables/*.csv``, ``tables/*.tex``, ``figures/*.png`` and ``aggregated.json``
(every metric of every method over its seeds).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline.config import ReportConfig

if TYPE_CHECKING:
    from pipeline.artifacts.store import Artifact, Work

VERSION = 8
CONFIG = ReportConfig
INPUTS = ("samples", "split", "inputs", "evaluations", "explanations")
OUTPUT = "report"


def run(
    config: ReportConfig, work: Work, samples: Artifact, inputs: Artifact, split: Artifact, **artifacts: Artifact
) -> dict[str, Any]:
    """Bring all models together and write the report.

    Parameters
    ----------
    artifacts : for every model its ``model-<slug>``, its ``evaluation-<slug>`` and, where its answers are explained,
        its ``explanation-<slug>``; of the cached answers that they learned from, ``labels-<slug>``; the splits of
        further outer folds, ``split-<slug>``.
    """
    from pipeline.reporting import aggregated, contents, methods, page, runs
    from pipeline.reporting.material import Material

    models = {name: artifact for name, artifact in artifacts.items() if name.startswith(("model-", "evaluation-"))}
    splits = [split, *(artifact for artifact in artifacts.values() if artifact.record["stage"] == "split")]
    caches = [artifact for artifact in artifacts.values() if artifact.record["stage"] == "teacher_labels"]
    maps = [artifact for artifact in artifacts.values() if artifact.record["stage"] == "explain_tests"]
    gathered = runs.gather(models, splits)
    compared = methods.compare(gathered, config.replicates, config.confidence, config.seed)
    material = Material(config, compared, gathered, samples, inputs, splits, list(models.values()), caches, maps)
    report = contents.collect(material)
    for folder in ("tables", "figures"):
        (work.path / folder).mkdir(exist_ok=True)
    report["front"].save(work.path / "figures")
    for section in report["sections"]:
        for table in section.tables.values():
            table.save(work.path / "tables")
        for figure in section.figures.values():
            figure.save(work.path / "figures")
    aggregated.write(compared, work.path)
    (work.path / "index.html").write_text(page.render(**report), encoding="utf-8")
    return {
        "counts": {"models": len(gathered), "methods": len(compared)},
        "skipped": [],
        "answer": report["answer"].whole,
    }
