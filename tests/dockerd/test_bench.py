"""The benchmarks' rig: with every driver all lines are kept, arrive, or come back, and all of it is gone afterwards."""

import pytest

from bench.printing import DELIVERED, WALL, print_once
from bench.reading import questions, read_once
from bench.results import Recorder
from bench.rig import all_drivers, readable_drivers
from bench.work import Work
from tests.testbed.unmanaged import PLUGINS

pytestmark = [pytest.mark.dockerd, pytest.mark.usefixtures("dockerd")]

WORKS = {"one": Work(200, 100), "huge": Work(2, 1 << 20), "many": Work(50, 100, containers=3)}


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


def test_containers_print_with_every_driver(recorder: Recorder) -> None:
    with all_drivers() as rig:
        for key, work in WORKS.items():
            for subject in rig.subjects:
                print_once(rig, subject, key, work, recorder)

    assert recorder.faults == []
    measured = {(series.subject, series.metric) for series in recorder.series()}
    for key in WORKS:
        assert {(subject.name, f"{key}/{WALL}") for subject in rig.subjects} <= measured
        receiving = {(subject.name, f"{key}/{DELIVERED}") for subject in rig.subjects if subject.receiver}
        assert len(receiving) == 5
        assert receiving <= measured
    assert not any((PLUGINS / f"{subject.driver}.sock").exists() for subject in rig.subjects)


def test_docker_logs_gives_what_is_asked_for(recorder: Recorder) -> None:
    work = Work(2000, 100)
    with readable_drivers() as rig:
        for subject in rig.subjects:
            for question in questions(rig, subject, work):
                read_once(rig, subject, question, recorder)

    assert recorder.faults == []
    assert {series.subject for series in recorder.series()} == {"json-file", "local", "peavey", "discard"}
