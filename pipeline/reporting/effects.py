"""What one choice changes, all else being equal: students matched on the rest of their recipe.

The effect of B in place of A is the difference of the headline metric between two students that differ in that choice
alone, averaged over all such pairs and over seeds. The average is taken inside every resample, of subjects and of
seeds, so that its interval and its p-value speak of new subjects and of new seeds of the students, with the recipes and
the teachers that were run. What the comparison could have shown is reckoned from the same resamples.

With outer cross-validation a seed stands for K trainings, one for each fold, and the metric is that of their answers
together. A draw of seeds takes all folds of a seed at once. Runs of different seeds are alike in distribution and, the
data given, independent, whatever the K trainings of one seed have in common (their first weights, their order of
samples); so the spread of pooled runs over seeds, with one draw less than there are seeds (`bootstrap.seed_draws`), is
an unbiased estimate of the variance that training adds to the mean over seeds. Seeds drawn for each fold apart would
count K trainings as independent that are not, and leave out the covariance between the folds.

One seed cannot tell this part: its draw is always itself. Then a fold whose training went badly lowers all of its
subjects together, which a draw of subjects takes for a difference between people, and counts as if it came anew with
each of them: the interval is too narrow by what subjects of a fold share.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from pipeline.config import NO_TEACHER, PLAIN
from pipeline.evaluation import bootstrap, power, significance
from pipeline.evaluation.metrics.weighted import Metric
from pipeline.reporting import recipes
from pipeline.reporting.cells import improvement
from pipeline.reporting.methods import Method, baseline

Pairs = tuple[tuple[Method, Method], ...]
REFERENCES = {"loss": "hard", "views": 1, "folds": 0, "mix": "none", "online": False, "labelled": 0.0}
REFERENCES |= {"views_strength": PLAIN}
TEACHING = "teaching"  # the factor whose levels are a teacher and none


@dataclass(frozen=True)
class Effect:
    """The headline metric of ``first`` minus that of ``second``: of an error, ``first`` is better where it is negative.

    Parameters
    ----------
    factor : teacher, teaching, student, or a field of a recipe.
    first, second : values of the factor.
    pairs : methods that differ in the factor alone.
    reached : mean of the headline metric on each side.
    estimate : of the headline metric's difference.
    per_seed : the difference by seed, over the seeds that all methods have; empty when there is none.
    p_value : of no difference, two-sided; NaN without resamples.
    adjusted : the same after Holm's correction over the comparisons of this factor.
    error : the standard error of the difference, from the same resamples as its interval.
    tests : comparisons of this factor, for which p-values are corrected.
    labelled : of teaching, how many subjects' true labels the students knew (0: of all); None for other factors.
    """

    factor: str
    first: str | int | bool
    second: str | int | bool
    pairs: Pairs
    reached: tuple[float, float]
    estimate: bootstrap.Estimate
    per_seed: dict[int, float]
    p_value: float
    confidence: float
    error: power.StandardError
    adjusted: float = float("nan")
    tests: int = 1
    labelled: float | None = None

    @property
    def gains(self) -> bool:
        """Whether ``first`` is the better one."""
        return self.better >= 0

    @property
    def metric(self) -> Metric:
        """The headline metric."""
        return self.pairs[0][0].headline_metric

    @property
    def better(self) -> float:
        """How much better ``first`` is."""
        return improvement(self.metric) * self.estimate.value

    @property
    def seeds_agree(self) -> bool:
        """Whether no seed says the contrary of the mean."""
        return {np.sign(value) for value in self.per_seed.values()} <= {np.sign(self.estimate.value)}

    @property
    def significant(self) -> bool:
        """Whether the corrected p-value is at most 1 - confidence."""
        return self.adjusted <= 1 - self.confidence

    @property
    def alpha(self) -> float:
        """The level that Holm's correction asks of the smallest p-value of the factor."""
        return (1 - self.confidence) / self.tests

    @property
    def smallest(self) -> float:
        """The smallest difference that had 80% power here; NaN without an interval."""
        return self.error.smallest(self.alpha)

    @property
    def needed(self) -> power.Design | None:
        """The subjects and seeds for 80% power at `power.difference_of` the metric; None without an interval."""
        return self.error.needed(power.difference_of(self.metric), self.alpha)

    @property
    def settled(self) -> bool:
        """Whether it is significant and every seed agrees on its sign."""
        return self.significant and self.seeds_agree

    @property
    def names(self) -> tuple[str, str]:
        """Both levels in words."""
        factor = "teacher" if self.factor == TEACHING else self.factor
        return recipes.level(factor, self.first), recipes.level(factor, self.second)

    @property
    def among(self) -> str:
        """Of teaching, what students knew: ``10 labelled``; empty where that was all labels, and of other factors."""
        return recipes.level("labelled", self.labelled) if self.labelled else ""


def effect(factor: str, first, second, pairs: Pairs, labelled: float | None = None) -> Effect:
    """The effect over given pairs, not yet corrected."""
    drawn = [_drawn(a, b) for a, b in pairs]
    sides = np.mean([[over(*side) for side in pair] for pair in drawn], axis=0)  # (2, 3, 1 + replicates)
    rows, of_subjects, of_seeds = sides[0] - sides[1]
    seeds = set.intersection(*(set(m.seeds) for pair in pairs for m in pair if not m.is_teacher))
    fewest = min(len(which) for pair in drawn for m, which in pair if not m.is_teacher)
    return Effect(
        factor,
        first,
        second,
        pairs,
        reached=(float(sides[0, 0, 0]), float(sides[1, 0, 0])),
        estimate=bootstrap.interval(rows, pairs[0][0].confidence),
        per_seed={s: float(np.mean([_value(a, s) - _value(b, s) for a, b in pairs])) for s in sorted(seeds)},
        p_value=significance.bootstrap_p(rows),
        confidence=pairs[0][0].confidence,
        error=power.standard_error(rows, of_subjects, of_seeds, pairs[0][0].subjects, fewest),
        labelled=labelled,
    )


def over(method: Method, seeds: list[int]) -> np.ndarray:
    """The headline metric on resamples of subjects and of these seeds, of subjects alone, of seeds alone.

    A teacher has one run and no draw of seeds.

    Returns
    -------
    float64, shape (3, 1 + replicates); the first of each is the value on the test samples.
    """
    if method.is_teacher:
        values = method.mean(method.headline)
        return np.stack([values, values, np.full_like(values, values[0])])
    values = method.values[method.headline][[seed in seeds for seed in method.seeds]]
    weights = bootstrap.seed_draws(seeds, values.shape[1] - 1)
    tested = np.broadcast_to(values[:, :1], values.shape)
    return np.stack(
        [bootstrap.over_seeds(values, weights), bootstrap.over_seeds(values), bootstrap.over_seeds(tested, weights)]
    )


def effects(methods: list[Method]) -> list[Effect]:
    """Every comparison that the methods allow, corrected within each factor: teachers first."""
    students = [method for method in methods if not method.is_teacher]
    comparisons: list[Effect] = []
    for factor in ("teacher", TEACHING, *recipes.FACTORS, "student"):
        family = [effect(factor, *which) for which in _comparisons(factor, students) if which[2]]
        family = [_from_the_better(e) if factor in ("teacher", "student") else e for e in family]
        adjusted = significance.holm(np.array([e.p_value for e in family]))
        tests = max(1, int((~np.isnan(adjusted)).sum()))
        comparisons += [replace(e, adjusted=float(p), tests=tests) for e, p in zip(family, adjusted, strict=True)]
    return comparisons


def ranked(comparisons: list[Effect]) -> list[str]:
    """The teachers, the one that is on average best against the others first."""
    scores: dict[str, list[float]] = {}
    for e in comparisons:
        if e.factor == "teacher":
            scores.setdefault(e.first, []).append(e.better)
            scores.setdefault(e.second, []).append(-e.better)
    return sorted(scores, key=lambda name: (-np.mean(scores[name]), name))


def between(comparisons: list[Effect], first: str, second: str) -> Effect | None:
    """The comparison of two teachers, seen from the first."""
    for e in comparisons:
        if e.factor == "teacher" and {e.first, e.second} == {first, second}:
            return e if e.first == first else turned(e)
    return None


def turned(e: Effect) -> Effect:
    """The same comparison seen from the other side."""
    seen = e.estimate
    estimate = replace(seen, value=-seen.value, low=-seen.high, high=-seen.low)
    pairs = tuple((b, a) for a, b in e.pairs)
    per_seed = {seed: -value for seed, value in e.per_seed.items()}
    return replace(
        e,
        first=e.second,
        second=e.first,
        pairs=pairs,
        reached=e.reached[::-1],
        estimate=estimate,
        per_seed=per_seed,
    )


def _comparisons(factor: str, students: list[Method]) -> Iterator[tuple]:
    """``first, second, pairs`` for every comparison of a factor; of teaching also the labelled subjects."""
    taught = [method for method in students if method.is_taught]
    if factor == TEACHING:
        for labelled, teacher in sorted({(m.recipe.labelled, m.teacher) for m in taught}):
            mine = [m for m in taught if (m.recipe.labelled, m.teacher) == (labelled, teacher)]
            yield teacher, NO_TEACHER, tuple((m, b) for m in mine if (b := baseline(m, students))), labelled
        return
    compared = students if factor == "student" else taught
    levels = sorted({getattr(m.recipe, factor) for m in compared})
    if factor in REFERENCES:
        reference = REFERENCES[factor] if REFERENCES[factor] in levels else next(iter(levels), None)
        wanted = [(value, reference) for value in levels if value != reference]
    else:
        wanted = list(combinations(levels, 2))
    for first, second in wanted:
        yield first, second, _matched(compared, factor, first, second)


def _matched(methods: list[Method], factor: str, first, second) -> Pairs:
    """Pairs of methods with these values of a factor that share everything else."""
    others = {m.recipe.without(factor): m for m in methods if getattr(m.recipe, factor) == second}
    mine = [m for m in methods if getattr(m.recipe, factor) == first]
    return tuple((m, other) for m in mine if (other := others.get(m.recipe.without(factor))))


def _drawn(first: Method, second: Method) -> tuple[tuple[Method, list[int]], ...]:
    """Both sides with their seeds: those that both have, if there are any; a teacher has one run for all of them."""
    shared = set() if first.is_teacher or second.is_teacher else set(first.seeds) & set(second.seeds)
    return tuple((method, sorted(shared or method.seeds)) for method in (first, second))


def _value(method: Method, seed: int) -> float:
    """A method's headline value in one seed; a teacher's own, of which there is one run for all seeds."""
    row = 0 if method.is_teacher else method.seeds.index(seed)
    return float(method.values[method.headline][row, 0])


def _from_the_better(e: Effect) -> Effect:
    return turned(e) if e.better < 0 else e
