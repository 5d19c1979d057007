"""What a person sees on the terminal when the engine starts a container with log-opts that cannot be accepted."""

import pytest

from tests.testbed.containers import Containers
from tests.testbed.unmanaged import Driver

pytestmark = pytest.mark.dockerd


def refusal(containers: Containers, **options: str) -> str:
    """Run a container with these log-opts, which must fail; return what the client printed on stderr."""
    log_options = [f"--log-opt={name.replace('_', '-')}={value}" for name, value in options.items()]
    done = containers.client.run(
        *("run", "--rm", "--network=none", f"--log-driver={containers.driver}", *log_options, containers.image, "true"),
        check=False,
    )
    assert done.returncode in (125, 127), done
    return done.stderr.decode()


def test_a_value_that_cannot_be_read_is_named_with_examples(containers: Containers) -> None:
    said = refusal(containers, max_size="20x")
    assert "log-opt 'max-size': '20x' is not a size" in said
    assert "20m" in said


def test_an_unknown_option_is_refused_with_the_closest_name(containers: Containers) -> None:
    said = refusal(containers, max_sise="20m")
    assert "unknown log-opt 'max-sise' (did you mean 'max-size'?)" in said


def test_a_faulty_tag_template_is_refused(containers: Containers) -> None:
    said = refusal(containers, tag="{{.Nmae}}")
    assert "unknown field '.Nmae'" in said
    assert "(did you mean '.Name'?)" in said


def test_all_faults_are_said_at_once(containers: Containers) -> None:
    said = refusal(containers, max_size="20x", max_file="many", no_such="1")
    assert all(name in said for name in ("'max-size'", "'max-file'", "'no-such'"))


def test_a_refused_container_leaves_no_attachment(containers: Containers, driver: Driver) -> None:
    before = driver.data.attachments()
    refusal(containers, max_size="20x")
    assert driver.data.attachments() == before


def test_the_options_of_the_local_driver_are_accepted(containers: Containers) -> None:
    options = {"max-size": "1m", "max-file": "3", "compress": "true", "tag": "{{.Name}}/{{.ID}}"}
    options |= {"labels": "a,b", "env-regex": "^X_", "mode": "non-blocking", "max-buffer-size": "4m"}
    container = containers.run("echo", "accepted", options=options)
    container.wait()
    assert container.logs() == b"accepted\n"
