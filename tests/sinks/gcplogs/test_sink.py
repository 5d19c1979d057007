"""The sink against a server that keeps to Google's discovery document."""

import asyncio
import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, SinkError
from plugin.sinks.gcplogs.credentials import parse_credentials
from plugin.sinks.registry import schema
from tests.sinks.factories import NOISE, origin_of, records_of, sink_of
from tests.sinks.gcplogs.receiver import GoogleCloud, google_cloud, pem, service_account
from tests.sinks.receiving.receiver import Receiver
from tests.testbed.ports import CLOSED_PORT

INSTANCE = {
    "project/project-id": "shop-4711",
    "instance/zone": "projects/123/zones/europe-west3-a",
    "instance/name": "node1",
    "instance/id": "1234567890",
}
LINES = [b"line %d" % number for number in range(8)]
NAMES = [line.decode() for line in LINES]


class Project:
    """A receiver, and one sink that sends to it batch by batch."""

    def __init__(self, receiver: Receiver, cloud: GoogleCloud) -> None:
        self.receiver = receiver
        self.cloud = cloud
        self._runner = asyncio.Runner()
        self.use(gcp_credentials=service_account(receiver.port), gcp_meta_name="node1")

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.receiver.port}"

    def use(self, **options: str) -> None:
        """Use another sink."""
        self.sink = sink_of(**{"gcp_endpoint": self.url, "gcp_metadata_url": self.url, **options})

    def records(self, lines: Sequence[bytes] = LINES) -> list[Record]:
        return records_of(self.sink, lines)

    def send(self, records: Sequence[Record] | None = None) -> SinkError | None:
        """Send records; returns the failure, if it is one."""
        try:
            self._runner.run(self.sink.send(self.sink.encode(self.records() if records is None else records)))
        except SinkError as error:
            return error
        return None

    def close(self) -> None:
        self._runner.run(self.sink.close())
        self._runner.close()


@pytest.fixture
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    cloud = GoogleCloud()
    with Receiver(google_cloud(cloud)) as receiver:
        project = Project(receiver, cloud)
        yield project
        project.close()


class TestWriting:
    @pytest.mark.parametrize("compression", ["gzip", "none"])
    def test_entries_are_stored(self, project: Project, compression: str) -> None:
        project.use(gcp_credentials=service_account(project.receiver.port), gcp_compression=compression)
        assert project.send() is None
        assert project.cloud.lines() == NAMES

    def test_what_is_sent_again_is_there_once(self, project: Project) -> None:
        project.send()
        project.send()
        assert project.cloud.lines() == NAMES

    def test_a_batch_too_large_for_a_request_is_several(self, project: Project) -> None:
        project.use(gcp_credentials=service_account(project.receiver.port), gcp_log_cmd="true", gcp_compression="none")
        origin = origin_of(attributes={"noise": NOISE[:10_000]})
        lines = [b"%d" % number for number in range(500)]
        assert project.send(records_of(project.sink, lines, origin)) is None
        assert len(project.cloud.requests) == 2
        assert project.cloud.lines() == [line.decode() for line in lines]

    def test_the_longest_line(self, project: Project) -> None:
        lines = [b"before", b"\0" * (1 << 20), b"after"]
        assert project.send(project.records(lines)) is None
        assert "".join(project.cloud.lines()) == b"".join(lines).decode()


class TestResource:
    def sent(self, project: Project) -> tuple[dict[str, object], object]:
        assert project.send() is None
        request = project.cloud.requests[-1]
        return request, request["entries"][0]["jsonPayload"].get("instance")

    def test_of_an_instance(self, project: Project) -> None:
        project.cloud.metadata = INSTANCE
        project.use()
        request, instance = self.sent(project)
        machine = {"zone": "europe-west3-a", "id": "1234567890"}
        labels = {"project_id": "shop-4711", "instance_id": machine["id"], "zone": machine["zone"]}
        assert request["resource"] == {"type": "gce_instance", "labels": labels}
        assert request["logName"] == "projects/shop-4711/logs/gcplogs-docker-driver"
        assert instance == {**machine, "name": "node1"}

    def test_of_a_machine_that_options_name(self, project: Project) -> None:
        project.cloud.metadata = INSTANCE
        project.use(gcp_meta_zone="cellar", gcp_meta_id="7", gcp_project="other-1", gcp_log_name="a/b")
        request, instance = self.sent(project)
        labels = {"project_id": "other-1", "instance_id": "7", "zone": "cellar"}
        assert request["resource"] == {"type": "gce_instance", "labels": labels}
        assert request["logName"] == "projects/other-1/logs/a%2Fb"
        assert instance == {"zone": "cellar", "id": "7"}

    def test_of_any_other_machine(self, project: Project) -> None:
        project.use(gcp_credentials=service_account(project.receiver.port))
        request, instance = self.sent(project)
        assert request["resource"] == {"type": "global", "labels": {"project_id": "shop-4711"}}
        assert instance is None


class TestCredentials:
    def test_of_a_person(self, project: Project) -> None:
        user = {"type": "authorized_user", "client_id": "x", "client_secret": "y", "refresh_token": "good"}
        project.use(gcp_project="p1", gcp_credentials=json.dumps({**user, "token_uri": f"{project.url}/token"}))
        assert project.send() is None

    def test_of_the_environment(self, project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        file = tmp_path / "key.json"
        file.write_text(service_account(project.receiver.port))
        monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(file))
        project.use()
        assert project.send() is None
        file.write_text("{}")
        with pytest.raises(MisconfiguredError, match="GOOGLE_APPLICATION_CREDENTIALS: its type is none"):
            project.use()

    def test_a_token_is_used_until_it_ends(self, project: Project) -> None:
        for _ in range(3):
            assert project.send() is None
        assert project.cloud.tokens == 1

    def test_a_token_is_renewed_before_it_ends(self, project: Project) -> None:
        project.cloud.lifetime = 0.0
        for _ in range(3):
            assert project.send() is None
        assert project.cloud.tokens == 3

    def test_while_no_new_token_can_be_had_the_old_one_is_used(
        self, project: Project, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("plugin.sinks.gcplogs.tokens._EARLY", 3600.0)
        project.cloud.lifetime = 0.2  # renewed after half of it
        assert project.send() is None
        project.cloud.lifetime = 3600.0
        while project.cloud.tokens == 1:
            assert project.send() is None
        assert project.cloud.tokens == 2

    def test_one_that_is_not_accepted_is_renewed(self, project: Project) -> None:
        assert project.send() is None
        project.cloud.revoke()
        assert isinstance(project.send(), MisconfiguredError)
        assert project.send() is None
        assert project.cloud.tokens == 2

    def test_refused_ones_are_misconfigured_and_do_not_show(self, project: Project) -> None:
        user = {"type": "authorized_user", "client_id": "x", "client_secret": "hush", "refresh_token": "stale-one"}
        project.use(gcp_project="p1", gcp_credentials=json.dumps({**user, "token_uri": f"{project.url}/token"}))
        error = project.send()
        assert isinstance(error, MisconfiguredError)
        assert "invalid_grant" in str(error)
        assert "check the credentials, and this host's clock" in str(error)
        assert "stale-one" not in str(error)

    def test_without_any_it_is_said_what_to_do(self, project: Project) -> None:
        project.use(gcp_project="p1", gcp_metadata_url=f"http://127.0.0.1:{CLOSED_PORT}")
        error = project.send()
        assert isinstance(error, MisconfiguredError)
        assert "give gcp-credentials-file, or run on Google Cloud" in str(error)

    def test_without_a_project_it_is_said_what_to_do(self, project: Project) -> None:
        text = service_account(project.receiver.port, project_id="")
        project.use(gcp_credentials=text, gcp_metadata_url=f"http://127.0.0.1:{CLOSED_PORT}")
        error = project.send()
        assert isinstance(error, MisconfiguredError)
        assert "give gcp-project" in str(error)


class TestErrorsOfEntries:
    def deliver(self, project: Project, records: list[Record]) -> list[bytes]:
        """Deliver as delivery does: a record that is refused is parted from the others. Return those refused."""
        error = project.send(records)
        if error is None:
            return []
        assert isinstance(error, RejectError)
        if len(records) == 1:
            return [records[0].line]
        assert error.index is not None
        assert error.took_those_before
        at = error.index
        return self.deliver(project, records[at : at + 1]) + self.deliver(project, records[at + 1 :])

    def test_all_others_are_taken_and_sent_once(self, project: Project) -> None:
        project.cloud.faults = {"line 2": 3, "line 5": 3, "line 7": 3}
        assert self.deliver(project, project.records()) == [b"line 2", b"line 5", b"line 7"]
        assert project.cloud.lines() == ["line 0", "line 1", "line 3", "line 4", "line 6"]
        assert len(project.cloud.requests) == 1

    def test_parts_of_a_long_line_count_as_one_record(self, project: Project) -> None:
        long = b"x" * 200_000 + b" odd"
        project.cloud.faults = {" odd": 3, "last": 3}
        assert self.deliver(project, project.records([b"first", long, b"between", b"last"])) == [long, b"last"]

    def test_what_is_to_be_tried_again_is_tried_alone(self, project: Project) -> None:
        project.cloud.faults = {"line 2": 14}
        error = project.send()
        assert isinstance(error, RetryError)
        assert "code 14" in str(error)
        project.cloud.faults = {}
        assert project.send() is None
        assert project.cloud.lines() == NAMES
        assert [len(request["entries"]) for request in project.cloud.requests] == [8, 1]

    def test_what_is_not_permitted_is_misconfigured(self, project: Project) -> None:
        project.cloud.faults = {"line 2": 7}
        assert isinstance(project.send(), MisconfiguredError)

    def test_a_record_that_is_refused_is_asked_for_anew_if_it_comes_again(self, project: Project) -> None:
        project.cloud.faults = {"line 2": 3}
        assert self.deliver(project, project.records()) == [b"line 2"]
        project.cloud.faults = {}
        assert project.send(project.records()[2:3]) is None
        assert sorted(project.cloud.lines()) == NAMES


@pytest.mark.parametrize("status", [401, 403, 404])
def test_what_somebody_must_mend(project: Project, status: int) -> None:
    assert project.send() is None
    project.receiver.answers.append(status)
    error = project.send()
    assert isinstance(error, MisconfiguredError)
    assert str(status) in str(error)
    assert ("roles/logging.logWriter" in str(error)) == (status == 403)
    assert project.send() is None


def test_a_token_that_comes_back_does_not_show(project: Project) -> None:
    assert project.send() is None
    project.receiver.echo = True
    project.receiver.answers.append(503)
    error = project.send()
    assert isinstance(error, RetryError)
    assert "Authorization: Bearer ***" in str(error)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gcp-project": "My Project"}, "'My Project' is not a project's id"),
        ({"gcp-log-name": "a b"}, "'a b' is not a log's id"),
        ({"gcp-credentials": "{}"}, "expected: the JSON of a service account's key"),
        ({"gcp-metazone": "x"}, "did you mean 'gcp-meta-zone'"),
    ],
    ids=lambda value: "" if isinstance(value, dict) else value,
)
def test_options_that_cannot_be_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        validate({"gcp-project": "p1", **options}, schema=schema())


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "it is not JSON"),
        ("[]", "it is not JSON"),
        ('{"type":"external_account"}', "its type is none that is known here"),
        (service_account(1, private_key="x"), "not an RSA key in PEM"),
        (service_account(1, client_email=""), "it has no client_email"),
        (service_account(1, token_uri="ftp://x"), "not an http:// or https:// URL"),  # noqa: S106
    ],
    ids=lambda value: "" if value[:1] in "{[" else value,
)
def test_credentials_that_cannot_be_are_refused_and_do_not_show(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        parse_credentials(text)
    assert pem()[40:60] not in str(caught.value)
