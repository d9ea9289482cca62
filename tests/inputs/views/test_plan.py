"""What is drawn for a view whatever its modality: groups of numbers, and one mixture for all."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.inputs import keyed_random
from pipeline.inputs.views import image, signal
from pipeline.inputs.views.plan import Drawn, Plan, Views

KEYS = keyed_random.keys(map(str, range(40)))
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
