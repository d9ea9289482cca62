from __future__ import annotations

from pipeline.reporting.units import said, units, who
from pipeline.tasks import PAIN, TASKS

FRAMES = TASKS["fire-smoke"]


def test_a_text_speaks_of_what_is_drawn():
    text = "Subjects of each part; a subject’s frames, two subjects. <code>SPLIT_BY=subject</code> subject_id"
    assert said(text, PAIN) == text
    assert said(text, FRAMES) == (
        "Clips of each part; a clip’s frames, two clips. <code>SPLIT_BY=subject</code> subject_id"
    )


def test_pictures_stay_as_they_are():
    picture = '<img src="data:image/png;base64,subject/subject" alt="subject">'
    assert said(picture, FRAMES) == '<img src="data:image/png;base64,subject/subject" alt="clip">'


def test_people_are_people():
    assert (units(PAIN), who(PAIN)) == ("subjects", "people")
    assert (units(FRAMES), who(FRAMES)) == ("clips", "clips")
