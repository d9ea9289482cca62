"""What distinguishes one way of making a model from another, and how it is called."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from pipeline.config import NO_TEACHER, PLAIN
from pipeline.tasks.objective import BASELINE

FAMILIES = {"resnet": "ResNet", "swin": "Swin", "deit": "DeiT", "vit": "ViT"} | {
    "conv1d": "Conv1D",
    "conv1d_plain": "plain Conv1D",
    "conv1d_norm": "normalised Conv1D",
    "painattn": "PainAttnNet",
    "narrow": "narrow Conv1D",
    "narrow_plain": "plain narrow Conv1D",
    "narrow_norm": "normalised narrow Conv1D",
    "resnet152": "ResNet-152",
    "efficientnet_b7": "EfficientNet-B7",
    "vit_b16": "ViT-B/16",
    "swin_t": "Swin-T",
    "wide": "wide CNN4",
    "cnn4": "CNN4",
    "cnn4x2": "CNN4×2",
}
ALONE = {"_rgb": "RGB-only"}  # what ends the name of a network that reads less than its namesake
# Of a recipe, besides the student and its teacher.
FACTORS = ("loss", "views", "folds", "mix", "views_strength", "online", "labelled")


@dataclass(frozen=True)
class Recipe:
    """Everything that a student's runs share but the seed.

    Parameters
    ----------
    student : its name on the command line; empty for a teacher.
    teacher : its name on the command line; ``none`` for a student without one.
    loss : as `pipeline.objectives` writes it; empty for a teacher.
    views : seeded views of each sample that the teacher answered for; 1: the sample itself alone.
    folds : cross-fitted teachers behind the labels; 0: one teacher that saw every training subject.
    mix : how training pictures are mixed, ``none`` if they are not.
    online : whether the teacher ran while the student learned.
    labelled : training subjects whose true labels the student knew, or, below 1, their share; 0: all.
    views_strength : ``strong`` where the views of pictures break their look, too.
    """

    student: str
    teacher: str
    loss: str = ""
    views: int = 1
    folds: int = 0
    mix: str = "none"
    online: bool = False
    labelled: float = 0.0
    views_strength: str = PLAIN

    @classmethod
    def of(cls, config: Mapping[str, Any], is_teacher: bool) -> Recipe:
        """The recipe in a model's config; what concerns a teacher's answers says nothing where there is no teacher."""
        if is_teacher:
            return cls("", config["teacher"], folds=config.get("folds", 0), views_strength=strength_of(config))
        views = config.get("views", 1)
        common = {"mix": config.get("mix", "none"), "labelled": config.get("labelled", 0.0)}
        common |= {"views_strength": strength_of(config)}
        if config["teacher"] == NO_TEACHER:
            return cls(config["student"], NO_TEACHER, BASELINE, views, **common)
        options = {"folds": config.get("folds", 0), "online": config.get("online", False)}
        return cls(config["student"], config["teacher"], config["loss"], views, **options, **common)

    @property
    def order(self) -> tuple:
        """Teachers first, then each student with its teachers, without a teacher last."""
        return (bool(self.student), self.student, self.teacher == NO_TEACHER, *list(asdict(self).values())[1:])

    def without(self, factor: str) -> Recipe:
        """The recipe with one field emptied: equal for recipes that differ in it alone."""
        return replace(self, **{factor: None})


def strength_of(config: Mapping[str, Any]) -> str:
    """Of which strength a model's or a label cache's views are; plain where none is recorded."""
    return config.get("views_strength", PLAIN)


def varying(recipes: Iterable[Recipe]) -> frozenset[str]:
    """The fields besides student and teacher in which recipes of equal kind differ, with a teacher or without.

    That labels were missing is always told.
    """
    names: set[str] = set()
    recipes = list(recipes)
    for taught in (True, False):
        group = [recipe for recipe in recipes if recipe.student and (recipe.teacher != NO_TEACHER) == taught]
        names |= {name for name in FACTORS if len({getattr(recipe, name) for recipe in group}) > 1}
    return frozenset(names | ({"labelled"} if any(recipe.labelled for recipe in recipes) else set()))


def level(factor: str, value: Any) -> str:
    """One setting in words."""
    return LEVELS[factor](value)


def parts(recipe: Recipe, fields: Iterable[str]) -> tuple[str, ...]:
    """The recipe in words, but only the given fields, and not what it leaves out."""
    quiet = {"folds": 0, "mix": "none", "views_strength": PLAIN, "online": False}
    if recipe.teacher == NO_TEACHER:
        quiet |= {"loss": recipe.loss, "views": 1}  # new views in every epoch
    names = [name for name in FACTORS if name in fields and getattr(recipe, name) != quiet.get(name)]
    return tuple(level(name, getattr(recipe, name)) for name in names)


def pretty(name: str) -> str:
    """A family's name as papers write it, several joined by plus signs; any other name as it is."""
    return " + ".join(map(_pretty, name.split("+")))


def twin(name: str, modalities: Iterable[str]) -> str:
    """The name of the same network that reads these modalities alone."""
    return "_".join((name, *modalities))


def _pretty(name: str) -> str:
    """One name, with what it lacks in front where that is all that parts it from a family."""
    for ending, lacking in ALONE.items():
        if name.endswith(ending) and (family := name.removesuffix(ending)) in FAMILIES:
            return f"{lacking} {FAMILIES[family]}"
    return FAMILIES.get(name, name)


def _loss(text: str) -> str:
    """``soft:0.7,hint:0.3`` as ``0.7 soft + 0.3 hint``."""
    terms = [term.partition(":") for term in text.split(",")]
    return " + ".join(f"{weight} {name}".strip() for name, _, weight in terms)


def _labelled(budget: float) -> str:
    """``10 labelled``, ``25% labelled``, ``all labelled``: subjects."""
    if not budget:
        return "all labelled"
    return f"{budget:g} labelled" if budget >= 1 else f"{100 * budget:g}% labelled"


LEVELS = {
    "teacher": lambda name: "no teacher" if name == NO_TEACHER else pretty(name),
    "student": pretty,
    "loss": _loss,
    "views": lambda count: "fixed label" if count == 1 else f"{count} views",
    "folds": lambda count: f"{count} folds" if count else "one teacher",
    "mix": lambda name: "unmixed" if name == "none" else name,
    "views_strength": lambda name: f"{name} views",
    "labelled": _labelled,
    "online": lambda online: "online" if online else "cached",
}
