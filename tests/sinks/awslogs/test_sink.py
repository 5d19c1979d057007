"""The sink against a server that enforces CloudWatch's limits and checks signatures."""

import asyncio
import json
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from plugin.config.options import check_start, validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, SinkError
from plugin.sinks.registry import schema
from plugin.sinks.transport.aws import metadata
from tests.sinks.awslogs.receiver import DAY, HOUR, KEY, MILLISECOND, REGION, SECRET_KEY, CloudWatch, cloudwatch
from tests.sinks.factories import INFO, TIME, origin_of, records_of, sink_of
from tests.sinks.http_servers import answer, answer_by, http_server, requests_of
from tests.sinks.killed_delivery import Backlog
from tests.sinks.receiving.receiver import Receiver

LINES = [b"line %d" % number for number in range(8)]
NAMES = [line.decode() for line in LINES]
ACCOUNT = {"awslogs_access_key_id": KEY, "awslogs_secret_access_key": SECRET_KEY}
NO_INSTANCE = {"AWS_EC2_METADATA_DISABLED": "true", "HOME": "/nowhere"}


class Region:
    """A receiver, and one sink that sends to it batch by batch."""

    def __init__(self, receiver: Receiver, cloud: CloudWatch) -> None:
        self.receiver = receiver
        self.cloud = cloud
        self._runner = asyncio.Runner()
        self.use()

    def use(self, **options: str) -> None:
        """Use another sink."""
        account = {} if "awslogs_access_key_id" in options else ACCOUNT
        self.use_alone(**account, **options)

    def use_alone(self, **options: str) -> None:
        """Use another sink, whose credentials are elsewhere."""
        given = {"awslogs_endpoint": f"http://127.0.0.1:{self.receiver.port}", "awslogs_region": REGION}
        self.sink = sink_of(**{**given, "awslogs_group": "shop", **options})

    def records(self, lines: Sequence[bytes] = LINES, tag: str = "web", after: int = 0) -> list[Record]:
        """Make records of a container whose stream is its tag, so many milliseconds after the beginning."""
        return records_of(self.sink, lines, origin_of(tag=tag), time=TIME + after * MILLISECOND)

    def send(self, records: Sequence[Record] | None = None) -> SinkError | None:
        """Send records; return the failure, if it is one."""
        try:
            self._runner.run(self.sink.send(self.sink.encode(self.records() if records is None else records)))
        except SinkError as error:
            return error
        return None

    def deliver(self, records: list[Record]) -> list[bytes]:
        """Deliver as delivery does: what is refused is halved until one is alone. Return those that are refused."""
        error = self.send(records)
        if error is None:
            return []
        assert isinstance(error, RejectError)
        if len(records) == 1:
            return [records[0].line]
        middle = len(records) // 2
        return self.deliver(records[:middle]) + self.deliver(records[middle:])

    def close(self) -> None:
        self._runner.run(self.sink.close())
        self._runner.close()


@pytest.fixture
def region() -> Iterator[Region]:
    cloud = CloudWatch("shop")
    with Receiver(cloudwatch(cloud)) as receiver:
        region = Region(receiver, cloud)
        yield region
        region.close()


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """An environment without credentials, on a host that is no instance."""
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in NO_INSTANCE.items():
        monkeypatch.setenv(name, value)
    return monkeypatch


class TestStreams:
    def test_the_stream_of_a_container_is_created_and_used(self, region: Region) -> None:
        assert region.send() is None
        assert region.send(region.records([b"more"], after=1)) is None
        assert region.cloud.lines("web") == [*NAMES, "more"]
        assert region.cloud.actions() == ["PutLogEvents", "CreateLogStream", "PutLogEvents", "PutLogEvents"]

    def test_it_has_the_full_id_for_a_name_as_with_dockers_driver(self) -> None:
        (choice,) = validate({"awslogs-group": "shop"}, schema=schema()).sinks
        assert choice.records.tag == "{{.FullID}}"
        assert choice.delivery.batch_wait == 5

    def test_awslogs_stream_wins_over_the_tag(self, region: Region) -> None:
        region.use(awslogs_stream="all")
        assert region.send() is None
        assert list(region.cloud.groups["shop"]) == ["all"]

    def test_lines_of_containers_that_share_a_stream_are_in_order(self, region: Region) -> None:
        region.use(awslogs_stream="all")
        web, db = region.records([b"1", b"4"]), region.records([b"2", b"3"], "db")
        for record, late in zip([web[0], db[0], db[1], web[1]], range(4), strict=True):
            record.time_nano = TIME + late * MILLISECOND
        assert region.send([*web, *db]) is None
        assert region.cloud.lines("all") == ["1", "2", "3", "4"]

    def test_a_group_is_created_if_that_is_asked_for(self, region: Region) -> None:
        region.use(awslogs_group="new", awslogs_create_group="true")
        assert region.send() is None
        assert region.cloud.lines("web", "new") == NAMES

    def test_otherwise_it_is_said_what_to_do(self, region: Region) -> None:
        region.use(awslogs_group="new")
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert "log group 'new' is not at http" in str(error)
        assert "create it, or give awslogs-create-group=true" in str(error)

    def test_a_stream_is_not_created_where_that_is_not_wanted(self, region: Region) -> None:
        region.use(awslogs_create_stream="false", awslogs_create_group="true")
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert "log stream 'web' of the group 'shop'" in str(error)
        assert set(region.cloud.actions()) == {"PutLogEvents"}

    def test_one_that_is_missing_does_not_keep_others_of_the_batch(self, region: Region) -> None:
        assert region.send(region.records([b"0"], "other")) is None
        region.use(awslogs_create_stream="false")
        batch = [*region.records(tag="missing"), *region.records([b"1"], "other")]
        for _ in range(3):
            assert isinstance(region.send(batch), MisconfiguredError)
        assert region.cloud.lines("other") == ["0", "1"]

    def test_somebody_else_may_create_them_at_the_same_time(self, region: Region) -> None:
        region.use(awslogs_group="new", awslogs_create_group="true")
        region.cloud.errors = {
            "CreateLogStream": deque(["ResourceNotFoundException", "ResourceAlreadyExistsException"]),
            "CreateLogGroup": deque(["ResourceAlreadyExistsException"]),
        }
        region.cloud.groups["new"] = {}
        error = region.send()  # as it is not there after all
        assert isinstance(error, RetryError)
        assert region.send() is None
        assert region.cloud.lines("web", "new") == NAMES

    def test_what_is_created_and_not_there_at_once_is_tried_again(self, region: Region) -> None:
        region.cloud.errors = {"PutLogEvents": deque(["ResourceNotFoundException"] * 2)}
        assert isinstance(region.send(), RetryError)
        assert region.send() is None
        assert region.cloud.lines("web") == NAMES

    def test_a_stream_that_was_deleted_is_created_anew(self, region: Region) -> None:
        assert region.send() is None
        del region.cloud.groups["shop"]["web"]
        assert region.send() is None
        assert region.cloud.lines("web") == NAMES

    def test_streams_of_many_containers_are_sent_to_at_once(self, region: Region) -> None:
        tags = [f"web{number}" for number in range(40)]
        assert region.send([record for tag in tags for record in region.records(tag=tag)]) is None
        assert [region.cloud.lines(tag) for tag in tags] == [NAMES] * 40
        assert region.receiver.connections > 1

    def test_a_batch_that_is_too_large_for_a_request_is_several_in_order(self, region: Region) -> None:
        lines = [b"%05d" % number + b"x" * 100 for number in range(25_000)]
        assert region.send(region.records(lines)) is None
        assert region.cloud.lines("web") == [line.decode() for line in lines]
        assert region.cloud.actions().count("PutLogEvents") == 5

    def test_a_batch_of_empty_lines_is_none(self, region: Region) -> None:
        assert region.send(region.records([b"", b""])) is None
        assert region.cloud.requests == []


class TestRefusals:
    def old(self, region: Region, *lines: bytes, days: float = 20) -> list[Record]:
        return region.records(lines, after=-int(days * DAY))

    def test_those_that_are_too_old_or_too_new_are_named_and_the_others_taken(self, region: Region) -> None:
        future = region.records([b"future"], after=4 * HOUR)
        records = [*self.old(region, b"old", b"older"), *region.records(), *future]
        assert region.deliver(records) == [b"old", b"older", b"future"]
        assert region.cloud.lines("web") == NAMES
        assert [len(members["logEvents"]) for action, members in region.cloud.requests if action == "PutLogEvents"] == [
            2,  # those of 20 days ago, to a stream that is not there
            2,
            9,
        ], "nothing is sent twice, and nobody is asked twice"

    @pytest.mark.parametrize(
        ("days", "retention", "reason"),
        [
            (15, 0, "tooOldLogEventEndIndex: it is more than 14 days old"),
            (3, 1, "expiredLogEventEndIndex: it is older than the log group keeps events"),
            (-1, 0, "tooNewLogEventStartIndex: it is more than two hours in the future"),
        ],
        ids=["too old", "expired", "too new"],
    )
    def test_the_reason_is_said(self, region: Region, days: float, retention: int, reason: str) -> None:
        region.cloud.retention = retention
        error = region.send(self.old(region, b"x", days=days))
        assert isinstance(error, RejectError)
        assert reason in str(error)
        assert region.cloud.lines("web") == []

    def test_a_long_line_is_refused_as_a_whole(self, region: Region) -> None:
        records = [*self.old(region, b"x" * 600_000), *region.records([b"after"])]
        assert region.deliver(records) == [b"x" * 600_000]
        assert region.cloud.lines("web") == ["after"]

    def test_a_record_that_is_refused_is_asked_for_anew_if_it_comes_again(self, region: Region) -> None:
        records = [*self.old(region, b"old"), *region.records()]
        assert region.deliver(records) == [b"old"]
        region.cloud.now = lambda: TIME / 1e9 - 15 * 24 * 3600
        assert region.send(records[:1]) is None
        assert region.cloud.lines("web") == ["old", *NAMES]

    def test_a_request_that_is_refused_as_a_whole_is_narrowed_down(self, region: Region) -> None:
        region.receiver.refused = b"line 5"
        other = region.records([b"other %d" % number for number in range(20)], "other")
        assert region.deliver([*region.records(), *other]) == [b"line 5"]
        assert region.cloud.lines("web") == [name for name in NAMES if name != "line 5"]
        assert region.cloud.lines("other") == [f"other {number}" for number in range(20)]

    def test_alike_lines_of_the_same_time_are_all_there_once(self, region: Region) -> None:
        region.receiver.refused = b"odd"
        records = region.records([b"same"] * 6 + [b"odd"] + [b"same"] * 6)
        other = region.records([b"same"] * 3, "other")
        for record in records:
            record.time_nano = TIME
        assert region.deliver([*records, *other]) == [b"odd"]
        assert region.cloud.lines("web") == ["same"] * 12
        assert region.cloud.lines("other") == ["same"] * 3
        assert region.send(region.records([b"same"], "other")) is None
        assert region.cloud.lines("other") == ["same"] * 4, "a later batch is another, however alike"

    @pytest.mark.parametrize(
        "answered",
        [
            {"rejectedLogEventsInfo": {"tooOldLogEventEndIndex": 99}},
            {"rejectedLogEventsInfo": {"tooNewLogEventStartIndex": -5}},
        ],
        ids=str,
    )
    def test_odd_answers_name_no_more_than_there_is(self, answered: dict[str, Any]) -> None:
        with http_server() as server:
            answer(server, 200, json.dumps(answered))
            sink = sink_of(awslogs_endpoint=server.url_for("/"), awslogs_region=REGION, awslogs_group="g", **ACCOUNT)
            with pytest.raises(RejectError):
                asyncio.run(sink.send(sink.encode(records_of(sink, LINES))))


class TestLater:
    @pytest.mark.parametrize(
        "code",
        [
            "ThrottlingException",
            "ServiceUnavailableException",
            "OperationAbortedException",
            "TooManyRequestsException",
            "InternalFailure",
        ],
    )
    @pytest.mark.parametrize("action", ["PutLogEvents", "CreateLogStream"])
    def test_a_busy_service_is_asked_again(self, region: Region, action: str, code: str) -> None:
        region.cloud.errors = {action: deque([code])}
        error = region.send()
        assert isinstance(error, RetryError)
        assert f"answered {code}" in str(error)
        assert f"to {action}" in str(error)
        assert region.send() is None
        assert region.cloud.lines("web") == NAMES

    def test_what_was_taken_is_not_sent_again(self, region: Region) -> None:
        tags = [f"web{number}" for number in range(12)]
        for tag in tags:
            assert region.send(region.records([b"first"], tag)) is None
        batch = [record for tag in tags for record in region.records(tag=tag, after=1)]
        region.cloud.errors = {"PutLogEvents": deque(["", "", "", "ThrottlingException"] * 2)}
        failures = 0
        while (error := region.send(batch)) is not None:
            assert isinstance(error, RetryError)
            failures += 1
        assert 1 <= failures <= 2
        assert {tag: region.cloud.lines(tag) for tag in tags} == {tag: ["first", *NAMES] for tag in tags}

    def test_what_was_taken_is_not_sent_again_in_halves_either(self, region: Region) -> None:
        batch = [*region.records(), *region.records(tag="db")]
        region.cloud.errors = {"PutLogEvents": deque(["ResourceNotFoundException", "ServiceUnavailableException"])}
        assert isinstance(region.send(batch), RetryError)
        assert region.send(batch[:5]) is None
        assert region.send(batch[5:]) is None
        assert (region.cloud.lines("web"), region.cloud.lines("db")) == (NAMES, NAMES)

    def test_nobody_there(self, region: Region) -> None:
        region.receiver.stop()
        assert isinstance(region.send(), RetryError)
        region.receiver.start()
        assert region.send() is None


class TestServersOfBefore2023:
    """Which want each request to name the one before, as others that speak this API still do."""

    def test_the_token_is_learnt_and_kept(self, region: Region) -> None:
        region.cloud.wants_tokens = True
        assert region.send() is None
        region.use()  # after a restart
        for number in range(3):
            assert region.send(region.records([b"%d" % number], after=number + 1)) is None
        assert region.cloud.lines("web") == [*NAMES, "0", "1", "2"]
        assert region.cloud.actions().count("PutLogEvents") == 2 + 1 + 3

    def test_what_was_accepted_already_counts_as_taken(self, region: Region) -> None:
        region.cloud.wants_tokens = True
        assert region.send() is None
        region.use()
        assert region.send() is None
        assert region.cloud.lines("web") == NAMES
        assert region.send(region.records([b"next"], after=1)) is None

    def test_another_writer_is_waited_for(self, region: Region) -> None:
        region.cloud.errors = {"PutLogEvents": deque(["InvalidSequenceTokenException"] * 2)}
        assert isinstance(region.send(), RetryError)
        assert region.send() is None


class TestCredentials:
    def test_of_the_environment(self, region: Region, environ: pytest.MonkeyPatch) -> None:
        region.cloud.keys["ENV"] = ("e-secret", "t" * 50)
        for name, value in (("ACCESS_KEY_ID", "ENV"), ("SECRET_ACCESS_KEY", "e-secret"), ("SESSION_TOKEN", "t" * 50)):
            environ.setenv(f"AWS_{name}", value)
        region.use_alone()
        assert region.send() is None

    def test_of_the_endpoint_that_an_option_names(self, region: Region, environ: pytest.MonkeyPatch) -> None:
        region.cloud.keys["ECS"] = ("c-secret", "c-token")
        with http_server() as server:
            content = {"AccessKeyId": "ECS", "SecretAccessKey": "c-secret", "Token": "c-token"}
            answer(server, 200, json.dumps({**content, "Expiration": "2099-01-01T00:00:00Z"}))
            environ.setattr(metadata, "CONTAINER_ENDPOINT", server.url_for("").rstrip("/"))
            environ.setenv("AWS_ACCESS_KEY_ID", "nobody")
            environ.setenv("AWS_SECRET_ACCESS_KEY", "nothing")
            region.use_alone(awslogs_credentials_endpoint="/v2/credentials/4711")
            assert region.send() is None
            assert [request.path for request in requests_of(server)] == ["/v2/credentials/4711"]

    @pytest.mark.usefixtures("environ")
    def test_those_that_have_ended_are_renewed_at_once(self, region: Region, tmp_path: Path) -> None:
        file = tmp_path / "credentials"
        file.write_text(f"[default]\naws_access_key_id = {KEY}\naws_secret_access_key = {SECRET_KEY}\n")
        region.use_alone(awslogs_shared_credentials_file=str(file))
        assert region.send() is None
        region.cloud.expired.add(KEY)
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert "the AWS credentials have ended: renew them" in str(error)
        region.cloud.keys["NEW"] = ("n-secret", "")
        file.write_text("[default]\naws_access_key_id = NEW\naws_secret_access_key = n-secret\n")
        assert region.send() is None

    @pytest.mark.usefixtures("environ")
    def test_nothing_says_which(self, region: Region) -> None:
        region.use_alone()
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert "give awslogs-access-key-id and awslogs-secret-access-key-file" in str(error)

    @pytest.mark.usefixtures("environ")
    def test_nothing_says_which_region(self, region: Region) -> None:
        region.use(awslogs_region="")
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert "no AWS region: give awslogs-region" in str(error)

    def test_a_wrong_secret_is_misconfigured_and_does_not_show(self, region: Region) -> None:
        region.use(awslogs_access_key_id=KEY, awslogs_secret_access_key="wrong-one")  # noqa: S106
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert "InvalidSignatureException" in str(error)
        assert "check the AWS access key, its secret, and this host's clock" in str(error)
        assert "wrong-one" not in str(error)

    def test_a_token_that_comes_back_does_not_show(self, region: Region) -> None:
        region.cloud.keys[KEY] = (SECRET_KEY, "session-4711")
        region.use(**ACCOUNT, awslogs_session_token="session-4711")  # noqa: S106
        assert region.send() is None
        region.receiver.echo = True
        region.receiver.answers.append(503)
        error = region.send()
        assert isinstance(error, RetryError)
        assert "X-Amz-Security-Token: ***" in str(error)

    @pytest.mark.parametrize("action", ["PutLogEvents", "CreateLogStream", "CreateLogGroup"])
    def test_the_right_that_is_missing_is_named(self, region: Region, action: str) -> None:
        region.use(awslogs_group="new", awslogs_create_group="true")
        region.cloud.errors = {action: deque(["AccessDeniedException"])}
        error = region.send()
        assert isinstance(error, MisconfiguredError)
        assert f"needs logs:{action})" in str(error)
        assert region.send() is None

    def test_no_more_groups_are_permitted(self, region: Region) -> None:
        region.use(awslogs_group="new", awslogs_create_group="true")
        region.cloud.errors = {"CreateLogGroup": deque(["LimitExceededException"])}
        assert isinstance(region.send(), MisconfiguredError)


class TestTheServer:
    @pytest.fixture
    def server(self) -> Iterator[HTTPServer]:
        with http_server() as server:
            yield server

    def error_of(self, server: HTTPServer) -> SinkError:
        sink = sink_of(awslogs_endpoint=server.url_for("/"), awslogs_region=REGION, awslogs_group="g", **ACCOUNT)
        with pytest.raises(SinkError) as caught:
            asyncio.run(sink.send(sink.encode(records_of(sink, LINES))))
        return caught.value

    @pytest.mark.parametrize("body", ["<html>", "[]", '"x"'])
    def test_it_is_not_cloudwatch(self, server: HTTPServer, body: str) -> None:
        answer(server, 200, body)
        error = self.error_of(server)
        assert isinstance(error, MisconfiguredError)
        assert "did not answer as CloudWatch Logs does: check the endpoint" in str(error)

    def test_it_knows_no_such_action(self, server: HTTPServer) -> None:
        answer(server, 400, '{"__type":"com.amazon.coral.service#UnknownOperationException"}')
        error = self.error_of(server)
        assert isinstance(error, MisconfiguredError)
        assert "answered UnknownOperationException" in str(error)

    def test_a_code_in_the_header_alone(self, server: HTTPServer) -> None:
        answer(server, 400, "", x_amzn_ErrorType="ThrottlingException:http://internal.amazon.com/")
        error = self.error_of(server)
        assert isinstance(error, RetryError)
        assert "ThrottlingException to PutLogEvents" in str(error)

    def test_how_long_to_wait_is_heeded(self, server: HTTPServer) -> None:
        answer(server, 503, '{"__type":"ServiceUnavailableException"}', Retry_After="7")
        error = self.error_of(server)
        assert isinstance(error, RetryError)
        assert error.after == 7

    def test_the_header_of_embedded_metrics(self, server: HTTPServer) -> None:
        answer_by(server, lambda request: Response("{}", headers={"X-Seen": request.headers["x-amzn-logs-format"]}))
        sink = sink_of(
            awslogs_endpoint=server.url_for("/"),
            awslogs_region=REGION,
            awslogs_group="g",
            awslogs_format="json/emf",
            **ACCOUNT,
        )
        asyncio.run(sink.send(sink.encode(records_of(sink, LINES))))
        (request,) = requests_of(server)
        assert request.headers["x-amzn-logs-format"] == "json/emf"
        assert "x-amzn-logs-format" in request.headers["Authorization"]


ACCEPTED = {
    "awslogs-group": "/docker/shop",
    "awslogs-region": "eu-central-1",
    "awslogs-create-group": "t",
    "awslogs-create-stream": "FALSE",
    "awslogs-force-flush-interval-seconds": "7",
    "awslogs-max-buffered-events": "4096",
    "awslogs-multiline-pattern": "^INFO",
    "awslogs-credentials-endpoint": "/creds",
    "awslogs-endpoint": "logs.eu-central-1.amazonaws.com",
    "tag": "{{.Name}}",
}


def test_the_options_of_dockers_driver() -> None:
    options = validate(ACCEPTED, schema=schema())
    (choice,) = options.sinks
    assert (choice.sink, choice.delivery.batch_wait, choice.transforms.begins_event) == ("awslogs", 7, "^INFO")
    assert choice.options.destination == "https://logs.eu-central-1.amazonaws.com/docker/shop"
    (note,) = options.notes
    assert "lines wait in the journal, on disk" in note


def test_multiline_options_of_dockers_driver_do_not_choose_the_sink() -> None:
    assert validate({"awslogs-datetime-format": "%Y"}, schema=schema()).sinks == ()
    (choice,) = validate({"awslogs-multiline-pattern": "a", "loki-url": "http://h"}, schema=schema()).sinks
    assert choice.sink == "loki"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"awslogs-group": ""}, "needs log-opt 'awslogs-group'"),
        ({"awslogs-group": "a b"}, "'a b' is not the name of a log group"),
        ({"awslogs-stream": "a:b"}, "'a:b' is not the name of a log stream"),
        ({"awslogs-create-group": "maybe"}, "awslogs-create-group"),
        ({"awslogs-create-stream": "2"}, "awslogs-create-stream"),
        ({"awslogs-force-flush-interval-seconds": "0"}, "awslogs-force-flush-interval-seconds"),
        ({"awslogs-force-flush-interval-seconds": "1s"}, "awslogs-force-flush-interval-seconds"),
        ({"awslogs-max-buffered-events": "-1"}, "awslogs-max-buffered-events"),
        ({"awslogs-format": "xml"}, "awslogs-format"),
        ({"awslogs-format": "json/emf", "awslogs-datetime-format": "%Y"}, "does not go together with"),
        ({"awslogs-format": "json/emf", "awslogs-multiline-pattern": "a"}, "does not go together with"),
        ({"awslogs-format": "json/emf", "parse": "json"}, "does not go together with"),
        ({"awslogs-multiline-pattern": "a", "awslogs-datetime-format": "%Y"}, "both say how a record begins"),
        ({"awslogs-multiline-pattern": "("}, "awslogs-multiline-pattern"),
        ({"awslogs-credentials-endpoint": "169.254.170.2/x"}, "is not a path"),
        ({"awslogs-endpoint": "http://"}, "awslogs-endpoint"),
        ({"awslogs-access-key-id": "AKIA"}, "awslogs-access-key-id needs awslogs-secret-access-key"),
        ({"awslogs-log-group": "x"}, "did you mean 'awslogs-group'"),
        ({"awslogs-creategroup": "true"}, "did you mean 'awslogs-create-group'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, dict) else "",
)
def test_options_that_cannot_be_are_refused(options: dict[str, str], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        validate({"awslogs-group": "shop", **options}, schema=schema())


def test_a_tag_that_names_no_stream_is_refused_at_the_start() -> None:
    options = validate({"awslogs-group": "shop", "tag": "{{.ImageName}}"}, schema=schema())
    with pytest.raises(OptionError, match=r"'nginx:1\.27' is not the name of a log stream"):
        check_start(options, INFO)
    check_start(validate({"awslogs-group": "shop"}, schema=schema()), INFO)
    check_start(validate({"awslogs-group": "g", "awslogs-stream": "s", "tag": "{{.ImageName}}"}, schema=schema()), INFO)


def test_delivery_is_killed_between_sending_and_the_cursor(tmp_path: Path) -> None:
    cloud = CloudWatch("shop")
    with Receiver(cloudwatch(cloud)) as receiver:
        options = {
            "awslogs-endpoint": f"http://127.0.0.1:{receiver.port}",
            "awslogs-region": REGION,
            "awslogs-group": "shop",
            "awslogs-access-key-id": KEY,
            "awslogs-secret-access-key": SECRET_KEY,
            "batch-size": "20k",
            "batch-wait": "0",
            "tag": "{{.Name}}",
        }
        backlog = Backlog(tmp_path, "awslogs", options, containers=1, lines=5_000)
        for dies_at in (1, 3):
            backlog.deliver_until_killed(dies_at)
        backlog.deliver()
    (name,) = backlog.names
    counts = Counter(event["message"].encode() for event in cloud.groups["shop"][name].events)
    assert counts.keys() == set(backlog.lines)
    repeated = [line for line in backlog.lines if counts[line] > 1]
    assert 0 < len(repeated) < 2_000, "the batch that was under way comes again, and no other"
    assert max(counts.values()) <= 3
