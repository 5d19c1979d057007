"""The sink against moto's server, read back with botocore, and against a bucket that enforces S3's rules."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from werkzeug import Request, Response

from plugin.config.options import validate
from plugin.errors import OptionError
from plugin.sinks.base import MisconfiguredError, Record, RejectError, RetryError, Sink, SinkError, TooLargeError
from plugin.sinks.registry import schema
from plugin.sinks.s3.encoder import decode_batch
from plugin.sinks.s3.options import S3Options
from tests.sinks.factories import INFO, NOISE, TIME, origin_of, records_of, sink_of
from tests.sinks.http_servers import answer_by, failure_of, http_server, requests_of
from tests.sinks.s3.moto_bucket import MotoBucket
from tests.sinks.s3.store import HANG_UP, KEY_ID, LOSE, SECRET_KEY, Fault, Refusal, Store

MIB = 1 << 20
OTHER = type(INFO)(container_id="ab" * 32, container_name="/db")


def s3_sink(url: str, **options: str) -> Sink[Any]:
    given = {"s3_bucket": "logs", "s3_endpoint": url, "s3_region": "us-east-1"}  # no shared file is looked into
    given |= {"s3_access_key_id": KEY_ID, "s3_secret_access_key": SECRET_KEY}
    return sink_of(**{**given, **options})


def send(sink: Sink[Any], *batches: Sequence[Record]) -> list[SinkError | None]:
    """Send batches, one after the other; return what each failed with."""

    async def run() -> list[SinkError | None]:
        outcomes: list[SinkError | None] = []
        for batch in batches:
            try:
                await sink.send(sink.encode(batch))
                outcomes.append(None)
            except SinkError as error:
                outcomes.append(error)
        await sink.close()
        return outcomes

    return asyncio.run(run())


def large(sink: Sink[Any], mib: int) -> list[Record]:
    """Make records of one container, of so many MiB in all."""
    piece = NOISE.encode()
    text = piece * (mib * MIB // len(piece) + 1)
    return records_of(sink, [text[start : start + MIB] for start in range(0, mib * MIB, MIB)])


class TestMoto:
    @pytest.mark.parametrize(("compression", "suffix"), [("zstd", ".zst"), ("gzip", ".gz"), ("none", "")])
    def test_an_object(self, moto: MotoBucket, compression: str, suffix: str) -> None:
        sink = s3_sink(moto.url, s3_compression=compression)
        assert send(sink, records_of(sink, [b"\xff a", b"b"])) == [None]
        ((key, lines),) = moto.objects().items()
        assert key.startswith(f"docker/dt=2023-11-14/{INFO.hostname}/web/20231114T221320Z-{INFO.id}-")
        assert key.endswith(f".ndjson{suffix}")
        assert [line["log"] for line in lines] == ["\ufffd a", "b"]

    def test_an_object_for_each_container_and_hour_as_the_key_has_it(self, moto: MotoBucket) -> None:
        sink = s3_sink(moto.url, s3_key="/a b+c//{{.Name}}/%Y/%m/%d/%H/../é%%&?#~/")
        other = sink.prepare(origin_of(OTHER))
        web = records_of(sink, [b"0", b"1"]) + records_of(sink, [b"2"], time=TIME + 3_600_000_000_000)
        send(sink, [web[0], Record(other, "stdout", TIME, b"x", 5, 9), *web[1:]])
        found = {key.rpartition("/")[0]: [line["log"] for line in lines] for key, lines in moto.objects().items()}
        assert found == {
            "a b+c/web/2023/11/14/22/é%&?#~": ["0", "1"],
            "a b+c/db/2023/11/14/22/é%&?#~": ["x"],
            "a b+c/web/2023/11/14/23/é%&?#~": ["2"],
        }

    def test_how_objects_are_kept(self, moto: MotoBucket) -> None:
        options = {"s3_storage_class": "STANDARD_IA", "s3_server_side_encryption": "aws:kms", "s3_kms_key_id": "key-1"}
        sink = s3_sink(moto.url, s3_compression="none", s3_part_size="5m", **options)
        assert send(sink, records_of(sink, [b"a"]), large(sink, 6)) == [None, None]
        keys = list(moto.objects())
        assert len(keys) == 2
        for key in keys:
            head = moto.client.head_object(Bucket="logs", Key=key)
            assert head["StorageClass"] == "STANDARD_IA"
            assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", "key-1")
            assert head["ContentType"] == "application/x-ndjson"

    def test_a_large_object_goes_in_parts_and_is_not_written_again(self, moto: MotoBucket) -> None:
        sink = s3_sink(moto.url, s3_compression="none", s3_part_size="5m")
        batch = large(sink, 11)
        assert send(sink, batch, batch) == [None, None]
        ((_, lines),) = moto.objects().items()
        assert [line["log"] for line in lines] == [record.line.decode(errors="replace") for record in batch]
        assert "Uploads" not in moto.client.list_multipart_uploads(Bucket="logs")

    def test_a_bucket_that_is_not_there(self, moto: MotoBucket) -> None:
        failure = failure_of(s3_sink(moto.url, s3_bucket="nowhere"), b"a")
        assert isinstance(failure, MisconfiguredError)
        assert str(failure).endswith("(create the bucket)")
        assert str(failure) == str(failure_of(s3_sink(moto.url, s3_bucket="nowhere"), b"a")), "it is told once"


class TestStore:
    def test_keys_of_any_characters_are_signed(self, store: Store) -> None:
        sink = s3_sink(store.url, s3_key="a b+c/é%%&?#~'()*!/;:@,$=%Y/{{.Name}}")
        assert send(sink, records_of(sink, [b"a"])) == [None]
        (key,) = store.objects
        assert key.startswith("a b+c/é%&?#~'()*!/;:@,$=2023/web/")

    def test_what_is_there_is_not_written_again(self, store: Store) -> None:
        sink = s3_sink(store.url)
        batch = records_of(sink, [b"a"])
        assert send(sink, batch, batch) == [None, None]
        assert [status for *_, status in store.requests] == [200, 412]
        assert list(store.writes.values()) == [1]

    def test_objects_that_are_stored_are_not_sent_again(self, store: Store) -> None:
        sink = s3_sink(store.url)
        infos = [type(INFO)(container_id=f"{number}" * 32, container_name=f"/c{number}") for number in range(10, 30)]
        batch = [Record(sink.prepare(origin_of(info)), "stdout", TIME, b"a", 0) for info in infos]
        store.faults.extend([""] * 12 + [Refusal(503, "SlowDown")])
        first, second = send(sink, batch, batch)
        assert isinstance(first, RetryError)
        assert second is None
        assert len(store.objects) == 20
        assert set(store.writes.values()) == {1}
        assert len(store.requests) < 20 + 10

    @pytest.mark.parametrize("fault", [HANG_UP, LOSE, Refusal(503, "SlowDown")], ids=str)
    @pytest.mark.parametrize("at", range(4), ids=["begin", "part 1", "part 2", "complete"])
    def test_an_upload_that_fails(self, store: Store, fault: Fault, at: int) -> None:
        sink = s3_sink(store.url, s3_compression="none", s3_part_size="5m")
        batch = large(sink, 6)
        store.faults.extend([""] * at + [fault])
        first, second = send(sink, batch, batch)
        # The client itself sends a PUT again over another connection.
        assert isinstance(first, RetryError) or (first is None and isinstance(fault, str) and at in (1, 2))
        assert second is None
        assert list(store.writes.values()) == [1]
        assert [len(lines) for lines in store.lines().values()] == [6]
        # Where the answer with its id was lost, it is for the bucket's own rule to remove it.
        assert len(store.uploads) == (fault == LOSE and at == 0)

    @pytest.mark.parametrize(
        "refusal",
        [
            Refusal(500, "InternalError"),
            Refusal(409, "ConditionalRequestConflict"),
            Refusal(409, "OperationAborted"),
            Refusal(400, "RequestTimeout"),
            Refusal(400, "BadDigest"),
            Refusal(307, "TemporaryRedirect"),
            Refusal(404, "NoSuchUpload"),
        ],
        ids=str,
    )
    def test_what_may_pass(self, store: Store, refusal: Refusal) -> None:
        sink = s3_sink(store.url)
        batch = records_of(sink, [b"a"])
        store.faults.append(refusal)
        first, second = send(sink, batch, batch)
        assert isinstance(first, RetryError)
        assert str(first) == f"{store.url} answered {refusal.status}: {refusal}: why & what"
        assert second is None
        assert list(store.writes.values()) == [1]

    def test_a_refusal_behind_a_200(self, store: Store) -> None:
        sink = s3_sink(store.url, s3_compression="none", s3_part_size="5m")
        batch = large(sink, 6)
        store.faults.extend(["", "", "", Refusal(200, "InternalError")])
        first, second = send(sink, batch, batch)
        assert isinstance(first, RetryError)
        assert "InternalError: why & what" in str(first)
        assert second is None
        assert list(store.writes.values()) == [1]
        assert not store.uploads

    def test_a_slow_down_says_how_long(self, store: Store) -> None:
        store.faults.append(Refusal(503, "SlowDown", headers={"Retry-After": "7"}))
        failure = failure_of(s3_sink(store.url), b"a")
        assert isinstance(failure, RetryError)
        assert failure.after == 7

    @pytest.mark.parametrize("mib", [0, 6], ids=["whole", "in parts"])
    def test_a_server_that_knows_no_conditions_gets_the_same_again(self, store: Store, mib: int) -> None:
        store.is_conditional = False
        sink = s3_sink(store.url, s3_compression="none", s3_part_size="5m")
        batch = large(sink, mib) or records_of(sink, [b"a"])
        assert send(sink, batch, batch) == [None, None]
        assert len(store.objects) == 1
        assert list(store.writes.values()) == [2]
        assert not store.uploads
        assert [status for *_, status in store.requests].count(501) == 1

    def test_an_object_that_is_too_large_has_the_batch_cut_before_anything_is_stored(self, store: Store) -> None:
        store.largest = 3 * MIB
        sink = s3_sink(store.url, s3_compression="none")
        other = Record(sink.prepare(origin_of(OTHER)), "stdout", TIME, b"x", 5, 9)
        batch = large(sink, 4)
        assert [type(one) for one in send(sink, [other, *batch])] == [TooLargeError]
        assert not store.objects
        assert send(sink, [other, *batch[:2]], batch[2:]) == [None, None]
        assert len(store.objects) == 3

    def test_what_is_wrong_with_one_object_never_refuses_the_others(self, store: Store) -> None:
        store.faults.append(Refusal(400, "SomethingNew"))
        failure = failure_of(s3_sink(store.url), b"a")
        assert isinstance(failure, MisconfiguredError)
        assert "SomethingNew: why & what" in str(failure)


class TestAccount:
    @pytest.mark.parametrize(
        ("change", "advice"),
        [
            ({"key_id": "OTHER"}, "the server does not know the access key: check it"),
            ({"secret": "other"}, "check the secret of the access key"),
            ({"token": "other"}, "the session token has ended: renew the credentials"),
            ({"region": "eu-south-2"}, "the bucket is in another region: set s3-region=eu-south-2"),
        ],
        ids=["key", "secret", "token", "region"],
    )
    def test_credentials_that_are_refused(self, store: Store, change: dict[str, str], advice: str) -> None:
        vars(store).update(change)
        failures = [failure_of(s3_sink(store.url), b"a") for _ in range(2)]
        assert all(isinstance(failure, MisconfiguredError) for failure in failures)
        assert str(failures[0]).endswith(f"({advice})")
        assert str(failures[0]) == str(failures[1]), "it is told once"
        assert SECRET_KEY not in str(failures[0])

    @pytest.mark.parametrize(
        ("refusal", "region"),
        [
            (
                Refusal(301, "PermanentRedirect", headers={"x-amz-bucket-region": "eu-west-1"}),
                "set s3-region=eu-west-1",
            ),
            (
                Refusal(301, "PermanentRedirect", "<Endpoint>logs.s3-eu-west-3.amazonaws.com</Endpoint>"),
                "set s3-region=eu-west-3",
            ),
            (
                Refusal(301, "PermanentRedirect", "<Endpoint>logs.s3.us-gov-west-1.amazonaws.com</Endpoint>"),
                "set s3-region=us-gov-west-1",
            ),
            (Refusal(301, "PermanentRedirect"), "check s3-region"),
            (Refusal(301, "PermanentRedirect", "<Region>'; drop\nx</Region>"), "check s3-region"),
        ],
        ids=["header", "old endpoint", "endpoint", "nothing", "nonsense"],
    )
    def test_a_bucket_in_another_region(self, store: Store, refusal: Refusal, region: str) -> None:
        store.faults.append(refusal)
        failure = failure_of(s3_sink(store.url), b"a")
        assert isinstance(failure, MisconfiguredError)
        assert str(failure).endswith(f"(the bucket is in another region: {region})")

    @pytest.mark.parametrize(
        ("minutes", "words"), [(61, "61 minutes behind"), (-20, "20 minutes ahead of")], ids=["slow", "fast"]
    )
    def test_a_clock_that_is_wrong(self, store: Store, minutes: int, words: str) -> None:
        store.clock = lambda: datetime.now(UTC) + timedelta(minutes=minutes)
        failure = failure_of(s3_sink(store.url), b"a")
        assert isinstance(failure, MisconfiguredError)
        assert str(failure).endswith(f"(set this host's clock: it is {words} the server's)")

    @pytest.mark.parametrize(
        ("code", "advice"),
        [
            ("AccessDenied", "allow the access key s3:PutObject on the bucket"),
            ("KMS.NotFoundException", "check s3-kms-key-id"),
            ("InvalidStorageClass", "check s3-storage-class"),
        ],
    )
    def test_what_is_not_permitted_or_not_there(self, store: Store, code: str, advice: str) -> None:
        store.faults.append(Refusal(403 if code == "AccessDenied" else 400, code))
        failure = failure_of(s3_sink(store.url), b"a")
        assert isinstance(failure, MisconfiguredError)
        assert advice in str(failure)

    def test_credentials_that_have_ended_are_renewed_at_once(self, store: Store, tmp_path: Path) -> None:
        profile = "[default]\naws_access_key_id={}\naws_secret_access_key={}\naws_session_token={}\n"
        file = tmp_path / "credentials"
        file.write_text(profile.format(KEY_ID, SECRET_KEY, "one"))
        store.token = "one"  # noqa: S105
        sink = sink_of(s3_bucket="logs", s3_endpoint=store.url, s3_shared_credentials_file=str(file))
        batches = [records_of(sink, [line]) for line in (b"a", b"b")]

        async def run() -> None:
            await sink.send(sink.encode(batches[0]))
            store.token = "two"  # noqa: S105
            with pytest.raises(MisconfiguredError, match="renew the credentials"):
                await sink.send(sink.encode(batches[1]))
            file.write_text(profile.format(KEY_ID, SECRET_KEY, "two"))
            await sink.send(sink.encode(batches[1]))
            await sink.close()

        asyncio.run(run())
        assert [line["log"] for lines in store.lines().values() for line in lines] == ["a", "b"]
        assert [status for *_, status in store.requests] == [200, 400, 400, 200]

    def test_the_region_of_a_profile_is_taken(self, store: Store, tmp_path: Path) -> None:
        store.region = "eu-north-1"
        file = tmp_path / "credentials"
        file.write_text(f"[p]\naws_access_key_id={KEY_ID}\naws_secret_access_key={SECRET_KEY}\nregion=eu-north-1\n")
        sink = sink_of(s3_bucket="logs", s3_endpoint=store.url, s3_shared_credentials_file=str(file), s3_profile="p")
        assert send(sink, records_of(sink, [b"a"])) == [None]

    def test_without_credentials_somebody_must_give_some(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
            monkeypatch.delenv(name, raising=False)
        monkeypatch.setenv("HOME", str(tmp_path))
        monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        failure = failure_of(sink_of(s3_bucket="logs", s3_region="us-east-1"), b"a")
        assert isinstance(failure, MisconfiguredError)
        assert "give s3-access-key-id and s3-secret-access-key-file" in str(failure)

    def test_no_secret_of_the_environment_shows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
        monkeypatch.setenv("AWS_SESSION_TOKEN", "the-token-of-a-session")

        def echo(request: Request) -> Response:
            return Response(f"neither {SECRET_KEY} nor {request.headers['X-Amz-Security-Token']}", 403)

        with http_server() as server:
            answer_by(server, echo)
            failure = failure_of(sink_of(s3_bucket="logs", s3_endpoint=server.url_for("").rstrip("/")), b"a")
            assert len(requests_of(server)) == 1
        assert "neither *** nor ***" in str(failure)


@pytest.mark.parametrize(
    ("options", "url"),
    [
        ({}, "https://logs.s3.eu-west-1.amazonaws.com/"),
        ({"s3_bucket": "a.b"}, "https://s3.eu-west-1.amazonaws.com/a.b/"),
        ({"s3_path_style": "true"}, "https://s3.eu-west-1.amazonaws.com/logs/"),
        ({"s3_endpoint": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000/logs/"),
        ({"s3_endpoint": "http://minio:9000/s3/"}, "http://minio:9000/s3/logs/"),
        ({"s3_endpoint": "https://minio:9000", "s3_path_style": "false"}, "https://logs.minio:9000/"),
        ({"s3_endpoint": "https://h/x", "s3_path_style": "false"}, "https://logs.h/x/"),
    ],
    ids=lambda value: None if isinstance(value, dict) else value,
)
def test_where_a_bucket_is(options: dict[str, str], url: str) -> None:
    given = {name.replace("_", "-"): text for name, text in {"s3_bucket": "logs", **options}.items()}
    (choice,) = validate(given, schema=schema()).sinks
    assert isinstance(choice.options, S3Options)
    assert str(choice.options.bucket_url("eu-west-1").target) == url


def test_a_bucket_in_the_host_s_name(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    look_up = socket.getaddrinfo

    def look_up_here(host: str, *others: Any, **more: Any) -> Any:
        return look_up("127.0.0.1" if host == "logs.s3.example.test" else host, *others, **more)

    monkeypatch.setattr(socket, "getaddrinfo", look_up_here)
    port = store.url.rpartition(":")[2]
    sink = s3_sink(f"http://s3.example.test:{port}", s3_path_style="false", s3_key="a")
    assert send(sink, records_of(sink, [b"a"])) == [None]
    (key,) = store.objects
    assert key.startswith("a/2023")


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"s3_bucket": "a/b"}, "is not the name of a bucket (example: my-logs)"),
        ({"s3_key": "%y/x"}, "'%y' is not a part of a time (expected: %Y, %m, %d or %H; %% for %)"),
        ({"s3_key": "x%"}, "'%' is not a part of a time"),
        ({"s3_key": "{{.Nome}}"}, "s3-key"),
        ({"s3_kms_key_id": "k"}, "s3-kms-key-id is for s3-server-side-encryption=aws:kms"),
        ({"s3_access_key_id": "k"}, "s3-access-key-id needs s3-secret-access-key or s3-secret-access-key-file"),
        ({"s3_part_size": "4m"}, "is too small"),
        ({"s3_endpoint": "http://key:secret@h"}, "give s3-access-key-id and s3-secret-access-key instead"),
        ({"s3_endpoint": "http://h/?x=1"}, "it has a query"),
    ],
    ids=["bucket", "time", "half a time", "template", "key", "half", "part", "login", "query"],
)
def test_options_that_are_refused(options: dict[str, str], fault: str) -> None:
    with pytest.raises(OptionError) as caught:
        sink_of(**{"s3_bucket": "logs", **options})
    assert fault in str(caught.value)
    assert "secret@" not in str(caught.value)


def test_nothing_but_its_size_refuses_a_batch() -> None:
    assert issubclass(TooLargeError, RejectError)
    assert decode_batch(s3_sink("http://h").encode([])) == []
