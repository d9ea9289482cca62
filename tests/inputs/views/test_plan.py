"""What is drawn for a view whatever its modality: groups of numbers, and one mixture for all."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inputs import keyed_random
from pipeline.inputs.views import image, signal
from pipeline.inputs.views.plan import Drawn, Plan, Views, teacher_seed

KEYS = keyed_random.keys([f"{i}.jpg#full" for i in range(40)])
INDEX = np.arange(40)


@pytest.mark.parametrize("mix", ["none", "cutmix", "mixup"])
def test_what_one_group_draws_does_not_depend_on_what_others_there_are(mix):
    both = Views(Plan(3, 5, mix), KEYS, image.DRAWS | signal.DRAWS).draw(INDEX, 2)
    for draws in (image.DRAWS, signal.DRAWS):
        alone = Views(Plan(3, 5, mix), KEYS, draws).draw(INDEX, 2)
        for group in draws:
            assert np.array_equal(alone.of(group), both.of(group))
        for name in ("partners", "kept", "boxes", "spans"):
            assert np.array_equal(getattr(alone, name), getattr(both, name))


def test_groups_are_drawn_apart():
    many = keyed_random.keys(map(str, range(4000)))
    drawn = Views(Plan(3), many, image.DRAWS | signal.DRAWS).draw(np.arange(4000), 2)
    numbers = np.concatenate([drawn.of(image.GROUP), drawn.of(signal.GROUP)], axis=1)
    between = np.corrcoef(numbers.T)[: len(image.PARAMETERS), len(image.PARAMETERS) :]
    assert np.abs(between).max() < 0.07


def test_the_samples_themselves_have_no_numbers():
    assert Drawn().of(image.GROUP) is None
    assert Views(Plan(3, augment=False), KEYS, signal.DRAWS).draw(INDEX, 2) == Drawn()


def test_a_modality_whose_numbers_were_not_drawn_is_no_identity():
    with pytest.raises(KeyError):
        Views(Plan(3), KEYS, image.DRAWS).draw(INDEX, 2).of(signal.GROUP)


def test_a_span_of_time_is_as_large_a_share_as_the_box():
    many = keyed_random.keys(map(str, range(4000)))
    drawn = Views(Plan(0, 2, "cutmix", mix_probability=0.5), many, {}).draw(np.arange(4000), 0)
    start, end = drawn.spans.T
    np.testing.assert_allclose(end - start, 1 - drawn.kept, atol=1e-6)
    assert (start >= 0).all()
    assert (end <= 1 + 1e-6).all()
    mixed = drawn.kept < 1
    assert np.histogram(start[mixed] / drawn.kept[mixed], 4, (0, 1))[0] == pytest.approx(mixed.sum() / 4, abs=75)
    assert not Views(Plan(0, 2, "mixup"), many, {}).draw(np.arange(4000), 0).spans.any()


def test_an_epoch_sees_its_view_or_a_new_one():
    assert [Plan(0, views=3).number(epoch) for epoch in range(5)] == [0, 1, 2, 0, 1]
    assert [Plan(0).number(epoch) for epoch in range(5)] == [0, 1, 2, 3, 4]


def test_teachers_learn_from_other_views_than_they_label():
    seeds = {teacher_seed(seed) for seed in range(50)}
    assert len(seeds) == 50
    assert not seeds & set(range(10_000))


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_partners_and_boxes_depend_on_seed_sample_and_view_and_not_on_the_order(mix):
    order = np.random.default_rng(0).permutation(40)
    one = Views(Plan(3, 5, mix), KEYS, image.DRAWS)
    other = Views(Plan(3, 5, mix), KEYS[order], image.DRAWS)
    place = np.argsort(order)
    first, second = one.draw(np.arange(40), 2), other.draw(place, 2)
    assert np.array_equal(KEYS[first.partners], KEYS[order][second.partners])
    for name in ("kept", "boxes", "spans"):
        assert np.array_equal(getattr(first, name), getattr(second, name))
    for name in ("parameters", "partner_parameters"):
        assert np.array_equal(getattr(first, name)[image.GROUP], getattr(second, name)[image.GROUP])
    assert np.array_equal(first.partner_parameters[image.GROUP], image.view_parameters(3, KEYS[first.partners], 2))
    assert not np.array_equal(first.partners, one.draw(np.arange(40), 3).partners)


def test_mixtures_fill_their_range():
    many = keyed_random.keys(map(str, range(4000)))
    mixed = Views(Plan(0, 2, "mixup"), many, image.DRAWS).draw(np.arange(4000), 0)
    assert np.histogram(mixed.kept, 4, (0, 1))[0] == pytest.approx(1000, abs=120)
    assert not mixed.boxes.any()
    assert len(np.unique(mixed.partners)) > 2000
    cut = Views(Plan(0, 2, "cutmix"), many, image.DRAWS).draw(np.arange(4000), 0)
    sides = cut.boxes[:, 2:] - cut.boxes[:, :2]
    assert (cut.boxes >= 0).all()
    assert (cut.boxes <= 1).all()
    np.testing.assert_allclose(cut.kept, 1 - sides.prod(axis=1), atol=1e-5)


@pytest.mark.parametrize("mix", ["cutmix", "mixup"])
def test_so_large_a_share_of_the_views_is_mixed(mix):
    many, index = keyed_random.keys(map(str, range(4000))), np.arange(4000)
    by_probability = {}
    for probability in (0.25, 0.7, 1.0):
        plan = Plan(1, 2, mix, mix_probability=probability)
        by_probability[probability] = Views(plan, many, image.DRAWS).draw(index, 0)
        mixed = by_probability[probability].kept < 1
        assert mixed.mean() == pytest.approx(probability, abs=0.03)
    some, all_ = by_probability[0.7], by_probability[1.0]
    mixed = some.kept < 1
    for name in ("kept", "boxes"):
        assert np.array_equal(getattr(some, name)[mixed], getattr(all_, name)[mixed])
    fewer = by_probability[0.25].kept < 1
    assert (mixed[fewer]).all()  # what a lower probability mixes, a higher one does too


# Labels of mixed views that were kept before a part of them could stay unmixed are of these very views.
ALWAYS_MIXED = {
    "cutmix": (
        [0.84301573, 0.61016196, 0.81569797],
        [
            [0.3376926, 0, 0.7948517, 0.3433909],
            [0.3047273, 0, 1, 0.5606981],
            [0.4457594, 0.097674, 0.8750635, 0.5269781],
        ],
    ),
    "mixup": ([0.79100555, 0.44643828, 0.81569797], [[0, 0, 0, 0]] * 3),
}


@pytest.mark.parametrize("mix", ALWAYS_MIXED)
def test_by_default_every_view_is_mixed_as_it_always_was(mix):
    drawn = Views(Plan(3, 5, mix), KEYS, image.DRAWS).draw(np.arange(40), 2)
    kept, boxes = ALWAYS_MIXED[mix]
    assert drawn.partners[:3].tolist() == [11, 10, 19]
    np.testing.assert_allclose(drawn.kept[:3], kept, atol=1e-6)
    np.testing.assert_allclose(drawn.boxes[:3], boxes, atol=1e-6)
    assert (drawn.kept < 1).all()
    certain = Views(Plan(3, 5, mix, mix_probability=1.0), KEYS, image.DRAWS).draw(np.arange(40), 2)
    for name in ("partners", "kept", "boxes", "spans"):
        assert np.array_equal(getattr(certain, name), getattr(drawn, name))
    for name in ("parameters", "partner_parameters"):
        assert np.array_equal(getattr(certain, name)[image.GROUP], getattr(drawn, name)[image.GROUP])
