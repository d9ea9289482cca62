"""Methods that belong together: a teacher, its students, and the student without a teacher."""

from __future__ import annotations

from pipeline.config import NO_TEACHER
from pipeline.reporting.methods import Method
from pipeline.reporting.recipes import pretty


def families(methods: list[Method]) -> dict[str, list[Method]]:
    """By title: a teacher, one of its students, and that student without a teacher."""
    groups: dict[str, list[Method]] = {}
    students = list(dict.fromkeys(m.student for m in methods if not m.is_teacher))
    for teacher in dict.fromkeys(m.teacher for m in methods if not m.is_untaught):
        for student in students or [""]:
            title = f"{pretty(student)} ← {pretty(teacher)}" if len(students) > 1 else pretty(teacher)
            groups[title] = [m for m in methods if m.teacher in (teacher, NO_TEACHER) and m.student in ("", student)]
    return groups
