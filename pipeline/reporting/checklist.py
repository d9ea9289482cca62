"""What a paper on these models has to report, and what of it this report already says.

The numbers are those of the items of TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378); topics and answers are in our
own words, and the statement itself is what counts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.reporting.cells import Table

AUTHOR = "To be filled by the author"
RENDERED = "Not applicable: the faces are made by a program, nobody real is in them"


@dataclass(frozen=True)
class Item:
    """One item of the list.

    Parameters
    ----------
    said : the answer, with fields of the facts in braces; empty when only the author can give it.
    where : the section of the page that has it.
    rendered : the answer where nobody real is in the pictures.
    """

    number: str
    topic: str
    said: str = ""
    where: str = ""
    rendered: str = ""


ITEMS = (
    Item("1", "Title: model, people and outcome", "Recognition of the facial expression of pain in {dataset}; title"),
    Item("2", "Abstract", "The sentences under the headline; the author adds the rest", "Top"),
    Item("3a", "Context, and models that exist"),
    Item("3b", "For whom, and who would use it", "For research on small recognisers; for no clinical use", "Limits"),
    Item("3c", "Known inequalities between groups of people"),
    Item("4", "Aims", "Which teacher transfers better to a small student, and how small it may be", "Top"),
    Item("5a", "Sources of data", "{dataset}: {subjects} subjects, {faces} faces", "Data", ""),
    Item("5b", "When the data were collected", "", "", RENDERED),
    Item("6a", "Setting and centres", "", "", RENDERED),
    Item("6b", "Who could take part", "", "", RENDERED),
    Item("6c", "Treatments", "", "", RENDERED),
    Item(
        "7",
        "Preparation of data",
        "Faces found, aligned on five landmarks and cropped, the same way for everybody; {missed} of {faces} were not "
        "found and were cropped around the centre",
        "Detection",
    ),
    Item("8a", "Outcome and how it was assessed", "Classes {classes}; the author adds how they were labelled", "Data"),
    Item("8b", "Who assessed an outcome that takes judgement", "", "", RENDERED),
    Item("8c", "Whether assessors were blind to the predictors", "", "", RENDERED),
    Item("9a", "Choice of predictors", "The pixels of the aligned face and nothing else", "Data"),
    Item("9b", "Definition of predictors", "Input sizes and normalisation are in the artifacts’ settings", "Networks"),
    Item("9c", "Who assessed predictors that take judgement", "Not applicable: no predictor takes judgement"),
    Item("10", "Size of the sample", "{test_subjects} test subjects; intervals show what they allow", "Results"),
    Item(
        "11",
        "Missing data",
        "Faces not found stay in; pictures that cannot be read are listed with the reason",
        "Detection",
    ),
    Item("12a", "How data were divided", "{parts}; by subject, nobody is in two parts", "Data"),
    Item("12b", "Handling of predictors", "Views: crop, flip, rotation, colour; then the network’s normalisation"),
    Item(
        "12c",
        "Kind of model, building, tuning, internal validation",
        "{networks}; the epoch with the lowest validation loss was kept; no setting was tuned on test faces",
        "Networks",
    ),
    Item("12d", "Differences between clusters", "Subjects are the clusters of every interval and p-value", "Results"),
    Item(
        "12e",
        "Measures of performance",
        "Discrimination, calibration, agreement; {confidence} intervals from {replicates} resamples of subjects; "
        "Holm’s correction",
        "Results",
    ),
    Item("12f", "Updating, such as recalibration", "A temperature fitted on validation subjects", "Calibration"),
    Item("12g", "How predictions were computed", "predictions.csv of every evaluation: logits and probabilities"),
    Item("13", "Class imbalance", "Class weights: {class_weights}; balanced accuracy is the measure", "Results"),
    Item("14", "Fairness", "Metrics, gaps and detection failures by group; nothing was done to change them", "Groups"),
    Item("15", "Output and thresholds", "Probability of pain; the more probable class, no threshold", "Confusion"),
    Item("16", "Training against evaluation", "Same source, other subjects; no external data", "Data"),
    Item("17", "Ethical approval", "", "", RENDERED),
    Item("18a", "Funding"),
    Item("18b", "Conflicts of interest"),
    Item("18c", "Protocol"),
    Item("18d", "Registration"),
    Item("18e", "Sharing of data", "", "", "The dataset’s own terms; the demo set comes with the code"),
    Item("18f", "Sharing of code", "The commands, versions and fingerprints that make this page again", "Reproduce"),
    Item("19", "Involvement of patients and public", "", "", RENDERED),
    Item("20a", "Flow of people through the study", "{parts}; skipped pictures are listed", "Data"),
    Item("20b", "Characteristics of the people", "Attributes that the dataset brings, by part", "Data"),
    Item("20c", "Development against evaluation data", "Classes, expressions and attributes by part", "Data"),
    Item("21", "People and outcomes in each analysis", "{parts}", "Data"),
    Item("22", "The full model", "weights.safetensors and model.json of every model; MODEL_CARD.md", "Reproduce"),
    Item("23a", "Performance with intervals, in groups too", "All metrics; headline metric by group", "Results"),
    Item("23b", "Performance in clusters", "Not applicable: one source of data"),
    Item("24", "Results of updating", "Before and after the temperature", "Calibration"),
    Item("25", "Interpretation", "The sentences under the headline; the author weighs them", "Top"),
    Item("26", "Limitations", "Listed; the author adds those of the data", "Limits"),
    Item("27a", "Poor or missing input in use", "A picture without a found face is marked and cropped at its centre"),
    Item("27b", "What users must do, and know", "make predict INPUT=…; nothing to mark by hand"),
    Item("27c", "Next steps", "Photographs of patients, external data, clinical validation", "Limits"),
)


def table(facts: dict[str, Any], rendered: bool) -> Table:
    """The list with what this report says to each item.

    Parameters
    ----------
    facts : values of the fields in the items' answers.
    rendered : whether nobody real is in the pictures.
    """
    rows = []
    for item in ITEMS:
        said = (item.rendered if rendered and item.rendered else item.said).format_map(facts)
        rows.append({"Item": item.number, "Topic": item.topic, "Reported": said or AUTHOR, "Section": item.where})
    frame = pd.DataFrame(rows)
    open_items = int((frame["Reported"] == AUTHOR).sum())
    caption = (
        f"{len(frame)} items numbered as in TRIPOD+AI (Collins et al. 2024, BMJ 385:e078378), in our words; "
        f"{open_items} are left to the author."
    )
    return Table("tripod-ai", caption, frame.replace({"Section": {"": "—"}}), frame)


def facts(content: dict[str, Any], faces: pd.DataFrame, methods: list, class_weights: set[str]) -> dict[str, Any]:
    """The values that the items name.

    Parameters
    ----------
    content : the page's values.
    faces : every face of every part, as `pipeline.predictions.faces_table` has them.
    methods : of `pipeline.reporting.methods`.
    class_weights : of the models' configs.
    """
    parts = faces.groupby("part", sort=False)["subject_id"].agg(["nunique", "size"])
    named = {"train": "training", "val": "validation"}
    return {
        "dataset": "the shipped demo set" if content["demo"] else content["dataset"],
        "subjects": faces["subject_id"].nunique(),
        "faces": len(faces),
        "missed": int((faces["detected"] == 0).sum()),
        "classes": " and ".join(name.replace("_", " ") for name in content["classes"]),
        "test_subjects": content["test"]["subjects"],
        "parts": "; ".join(
            f"{named.get(part, part)} {row['nunique']} subjects, {row['size']} faces" for part, row in parts.iterrows()
        ),
        "networks": ", ".join(dict.fromkeys(method.architecture for method in methods)),
        "confidence": content["confidence"],
        "replicates": f"{content['replicates']:,}",
        "class_weights": " and ".join(sorted(class_weights)),
    }
