"""Sums of losses as text: read, put in one form, and what they need of a teacher."""

from __future__ import annotations

import subprocess
import sys

import pytest

from pipeline.distillation.losses.table import LOSSES, TOGETHER
from pipeline.errors import ConfigError
from pipeline.tasks import objective
from pipeline.tasks.objective import Term


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("hard", (Term("hard"),)),
        ("soft:0.7,hint:0.3", (Term("soft", 0.7), Term("hint", 0.3))),
        ("soft+label", (Term("label"), Term("soft"))),
        (" Soft : 2 + dist:.5 ", (Term("soft", 2), Term("dist", 0.5))),
        ("soft:1e+3+label:1e-3", (Term("label", 0.001), Term("soft", 1000))),
        ("hint", (Term("label"), Term("hint"))),
        ("rkd:25,cosine:2", (Term("label"), Term("cosine", 2), Term("rkd", 25))),
        ("hint,hard:2", (Term("hard", 2), Term("hint"))),
        ("features:0.1+kd", (Term("kd"), Term("features", 0.1))),
        ("label+ccc:0.5+smooth_l1", (Term("label"), Term("smooth_l1"), Term("ccc", 0.5))),
    ],
)
def test_a_sum_is_read(text, terms):
    assert objective.parse(text) == terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("label:1,hint:1", "label,hint"),
        ("hint", "label,hint"),
        ("hint:0.30, soft:0.70", "soft:0.7,hint:0.3"),
        ("dkd:1000000", "dkd:1e+06"),
        ("soft:0.33333333", "soft:0.333333"),
    ],
)
def test_equal_sums_have_one_text(text, expected):
    assert objective.canonical(text) == expected
    assert objective.parse(expected) == objective.parse(text)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sofft", "'sofft'. Did you mean soft?"),
        ("hard,hnit:0.3", "'hnit'. Did you mean hint?"),
        (
            "qqq",
            "label, smooth_l1, ccc, wing, hard, soft, dkd, dist, main, assistive, kd, cosine, hint, attention, rkd",
        ),
        ("", "unknown loss, ''"),
        ("soft,", "unknown loss, 'soft,'. Did you mean soft?"),
        ("soft:0.5,label,soft", "names soft twice"),
        ("soft:", "'soft:', whose weight is no positive number"),
        ("soft:0", "no positive number"),
        ("soft:-1", "no positive number"),
        ("soft:1e-400", "no positive number"),
        ("soft:inf", "no positive number"),
        ("soft:nan", "no positive number"),
        ("soft:1e7", "no positive number from 1e-06 to 1e+06"),
        ("soft:1e-7", "no positive number from 1e-06 to 1e+06"),
        ("soft:٣", "no positive number"),
        ("soft:1_0", "no positive number"),
        ("soft:0x10", "no positive number"),
        ("soft(hint)", "unknown loss, 'soft(hint)'"),
        (",".join(["soft"] * 1000), "names soft twice"),
        ("soft:a,hint:0.3", "'soft:a'"),
    ],
)
def test_what_cannot_be_read_is_named(text, said):
    with pytest.raises(ConfigError) as caught:
        objective.parse(text)
    assert str(caught.value).startswith(f"LOSS={text} ")
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("text", "answers", "features"),
    [
        ("label", (), ()),
        ("hard", ("hard",), ()),
        ("soft+label", ("logits",), ()),
        ("attention,hard,dkd", ("hard", "logits", "map"), ("map",)),
        ("hint,rkd", ("hidden", "map"), ("hidden", "map")),
        ("contrastive,cosine,dist", ("logits", "hidden"), ("hidden",)),
        ("smooth_l1,ccc,wing", (), ()),
        ("kd", ("logits",), ()),
        ("main+assistive+features", ("logits", "hidden"), ("hidden",)),
    ],
)
def test_what_is_needed_of_the_teacher(text, answers, features):
    assert objective.required_targets(text) == answers
    assert objective.features(text) == features


def test_the_text_knows_every_loss_of_the_table():
    every = {name for losses in LOSSES.values() for name in losses} | TOGETHER.keys()
    assert set(objective.REQUIRED_TARGETS) == every
    assert LOSSES.keys() == objective.OF_OUTPUTS.keys() == objective.ANSWERS.keys()


@pytest.mark.parametrize("kind", LOSSES)
def test_a_loss_that_a_kind_takes_is_in_its_table_and_no_other(kind):
    for name in objective.REQUIRED_TARGETS:
        if name in LOSSES[kind] or (kind == "points" and name in TOGETHER):
            objective.check_kind(name, kind)
        else:
            with pytest.raises(ConfigError, match=f"^LOSS={name}: {name} has no meaning"):
                objective.check_kind(name, kind)


def test_reading_a_sum_loads_no_torch():
    program = "from pipeline.tasks import objective; objective.required_targets('hint')"
    code = f"import sys; {program}; print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"


@pytest.mark.parametrize(
    ("text", "terms"),
    [
        ("soft@swin", (Term("soft", 1.0, "swin"),)),
        (" Soft @ swin : 2 + hard", (Term("hard"), Term("soft", 2.0, "swin"))),
        ("soft@swin:0.7,soft@resnet:0.3", (Term("soft", 0.3, "resnet"), Term("soft", 0.7, "swin"))),
        ("soft,soft@swin", (Term("soft"), Term("soft", 1.0, "swin"))),
        ("hint@swin", (Term("label"), Term("hint", 1.0, "swin"))),
    ],
)
def test_a_term_may_speak_of_one_teacher(text, terms):
    assert objective.parse(text) == terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("soft@swin:0.70+hard", "hard,soft@swin:0.7"),
        ("soft@swin , soft@resnet:1", "soft@resnet,soft@swin"),
        ("HINT@swin", "label,hint@swin"),
    ],
)
def test_equal_sums_about_teachers_have_one_text(text, expected):
    assert objective.canonical(text) == expected
    assert objective.canonical(expected) == expected
    assert objective.parse(expected) == objective.parse(text)


def test_a_loss_comes_once_for_each_teacher():
    with pytest.raises(ConfigError, match="names soft twice"):
        objective.parse("soft@swin,soft@swin:2")
    with pytest.raises(ConfigError, match="Did you mean soft"):
        objective.parse("sofft@swin")


def test_each_teacher_is_needed_for_what_is_said_of_it():
    text = "hard,soft@swin,hint@resnet,rkd@swin"
    assert objective.required_targets(text, "swin") == ("hard", "logits", "hidden")
    assert objective.required_targets(text, "resnet") == ("hard", "map")
    assert objective.features(text, "swin") == ("hidden",)
    assert objective.features(text, "resnet") == ("map",)
    assert objective.required_targets("soft@swin", "resnet") == ()


@pytest.mark.parametrize(
    ("teachers", "roles"),
    [
        ("swin", {"teacher": "swin"}),
        ("resnet+swin", {"resnet": "resnet", "swin": "swin"}),
        ("swin + resnet", {"swin": "swin", "resnet": "resnet"}),
    ],
)
def test_several_teachers_play_the_roles_of_their_names(teachers, roles):
    assert objective.roles(teachers) == roles
    assert list(objective.roles(teachers)) == list(roles)


@pytest.mark.parametrize("teachers", ["swin+swin", "swin+", "+swin", "swin++resnet"])
def test_a_teacher_comes_once(teachers):
    with pytest.raises(ConfigError) as caught:
        objective.roles(teachers)
    assert str(caught.value).startswith(f"TEACHER={teachers} names a teacher twice")


def test_a_role_that_nobody_plays_is_named():
    for text in ("soft@swin,hard", "soft", "label"):
        objective.check_roles(text, ("resnet", "swin"))
    with pytest.raises(ConfigError, match=r"LOSS=soft@swim,hard speaks of swim, the teachers are resnet, swin"):
        objective.check_roles("soft@swim,hard", ("resnet", "swin"))
    objective.check_roles("soft@teacher", ("teacher",))
    with pytest.raises(ConfigError, match="speaks of swin, the teachers are teacher"):
        objective.check_roles("soft@swin", list(objective.roles("swin")))


@pytest.mark.parametrize(
    ("teachers", "roles"),
    [
        (
            "tough=resnet18+tolerant=resnet18",
            {"tough": "tough=resnet18", "tolerant": "tolerant=resnet18"},
        ),
        ("tough + tolerant=resnet18", {"tough": "tough", "tolerant": "tolerant=resnet18"}),
        ("swin+tough=resnet18", {"swin": "swin", "tough": "tough=resnet18"}),
        ("tough=resnet18", {"teacher": "tough=resnet18"}),
    ],
)
def test_a_role_may_stand_before_the_network_that_plays_it(teachers, roles):
    assert objective.roles(teachers) == roles
    assert list(objective.roles(teachers)) == list(roles)


@pytest.mark.parametrize(
    ("teachers", "said"),
    [
        ("tough=resnet18+tough=resnet34", "has two teachers in one role: tough, tough"),
        ("tough+swin+tough=resnet34", "has two teachers in one role: tough, swin, tough"),
        ("tough=", "a role without a network"),
        ("swin+=resnet18", "a network without its role"),
        ("tough=resnet18+tough=resnet18", "names a teacher twice"),
    ],
)
def test_a_role_is_played_once_and_by_somebody(teachers, said):
    with pytest.raises(ConfigError) as caught:
        objective.roles(teachers)
    assert str(caught.value).startswith(f"TEACHER={teachers} ")
    assert said in str(caught.value)


def test_a_loss_that_has_no_meaning_for_the_answers_is_refused():
    for text in ("label", "soft:0.7+hard", "soft:0.4+relation:0.2+features:0.2+label:0.2", "hint"):
        objective.check_kind(text, "multilabel")
    with pytest.raises(
        ConfigError, match=r"dkd: dkd has no meaning.* several yes-or-no labels.*label, hard, soft, cos"
    ):
        objective.check_kind("soft+dkd", "multilabel")
    objective.check_kind("soft+dkd", "classify")
    objective.check_kind("kd:1+features:0.1", "points")
    objective.check_kind("main@tolerant+assistive@tough", "points")
    with pytest.raises(
        ConfigError, match=r"wing, hard has no meaning where the answer is numbers\. .* ccc, soft, cosine"
    ):
        objective.check_kind("soft+hard+wing", "regress")


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("label", "classify"),
        ("label", "multilabel"),
        ("label+ccc:0.5", "regress"),
        ("smooth_l1", "regress"),
        ("wing+label:2", "points"),
    ],
)
def test_what_is_learned_without_a_teacher_may_be_a_sum(text, kind):
    objective.check_truth_loss(text, kind)


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("label+soft:0.5", "regress", "soft:0.5 needs a teacher.*Choose among label, smooth_l1, ccc[.]$"),
        ("hint", "classify", "hint needs a teacher.*Choose among label[.]$"),
        ("label@swin", "classify", "label@swin needs a teacher"),
        ("ccc", "points", "ccc has no meaning where the answer is the points of a face. Choose among label, wing[.]$"),
        ("cccc", "regress", "unknown loss, 'cccc'. Did you mean ccc"),
        ("ccc:0", "regress", "no positive number"),
        ("ccc,ccc:2", "regress", "names ccc twice"),
    ],
)
def test_what_nobody_can_learn_without_a_teacher_is_named(text, kind, said):
    with pytest.raises(ConfigError, match=said) as caught:
        objective.check_truth_loss(text, kind)
    assert str(caught.value).startswith(f"TRUTH_LOSS={text}")
