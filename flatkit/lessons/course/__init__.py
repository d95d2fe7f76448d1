"""The tasks of flatkit's own notebooks, one module each, in the order of the course."""

from __future__ import annotations

from dataclasses import replace

from flatkit.lessons.course.butane import BUTANE
from flatkit.lessons.course.channels import CHANNELS
from flatkit.lessons.course.containers import CONTAINERS
from flatkit.lessons.course.everywhere import EVERYWHERE
from flatkit.lessons.course.immutable import IMMUTABLE
from flatkit.lessons.course.kubernetes import KUBERNETES
from flatkit.lessons.course.provision import PROVISION
from flatkit.lessons.course.start import START
from flatkit.lessons.course.sysext import SYSEXT
from flatkit.lessons.course.take_home import TAKE_HOME
from flatkit.lessons.course.updates import UPDATES
from flatkit.lessons.course.your_own import YOUR_OWN
from flatkit.lessons.prediction import predictions_of

_LESSONS = (
    START, PROVISION, BUTANE, IMMUTABLE, UPDATES, CHANNELS, SYSEXT, CONTAINERS, EVERYWHERE, YOUR_OWN, TAKE_HOME, KUBERNETES,
)  # fmt: skip
COURSE = tuple(replace(lesson, predictions=predictions_of(lesson.name)) for lesson in _LESSONS)
