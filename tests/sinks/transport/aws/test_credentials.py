"""Where credentials for AWS are found, and when they are renewed."""

import asyncio
import logging
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import orjson
import pytest
from botocore.regions import EndpointResolver
from botocore.session import Session
from hypothesis import given
from hypothesis import strategies as st
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RetryError, SinkError
from plugin.sinks.encoding.sigv4 import Credentials
from plugin.sinks.transport.aws import metadata
from plugin.sinks.transport.aws.credentials import AwsAccount
from plugin.sinks.transport.aws.endpoints import service_url
from plugin.sinks.transport.aws.options import AwsOptions
from tests.sinks.http_servers import answer_by, http_server, requests_of

NOW = 1_700_000_000.0
SOON = "2023-11-14T23:13:20Z"
"""An hour after NOW."""
NOBODY = {"AWS_EC2_METADATA_DISABLED": "true"}
ENVIRONMENT = {"AWS_ACCESS_KEY_ID": "ENV", "AWS_SECRET_ACCESS_KEY": "e-secret"}


def account(environ: dict[str, str], uri: str = "", clock: Any = lambda: NOW, **options: Any) -> AwsAccount:
    defaults = {option.name: option.default_value() for option in AwsOptions.options}
    given = {name.replace("_", "-"): value for name, value in options.items()}
    return AwsAccount(AwsOptions(defaults | given), uri, environ={"HOME": "/nowhere"} | environ, clock=clock)


def found(of: AwsAccount) -> Credentials:
    return asyncio.run(of.credentials())


def role_of(key: str, expiration: str = SOON) -> dict[str, str]:
    return {"AccessKeyId": key, "SecretAccessKey": f"{key}-secret", "Token": f"{key}-token", "Expiration": expiration}


def test_options_come_first() -> None:
    of = account(ENVIRONMENT, access_key_id="OPT", secret_access_key=Secret("o-secret"), session_token=Secret("t"))

    assert found(of) == Credentials("OPT", Secret("o-secret"), Secret("t"))
    assert of.secrets == (Secret("o-secret"), Secret("t"))


def test_the_environment() -> None:
    assert found(account(ENVIRONMENT)) == Credentials("ENV", Secret("e-secret"))
    assert found(account(ENVIRONMENT | {"AWS_SESSION_TOKEN": "t"})).token == Secret("t")


def test_shared_files(tmp_path: Path) -> None:
    (tmp_path / ".aws").mkdir()
    (tmp_path / ".aws/credentials").write_text(
        "[default]\naws_access_key_id = DEF\naws_secret_access_key=d%secret\n"
        "[team]\naws_access_key_id=TEAM\naws_secret_access_key=t-secret\naws_session_token=t-token\n"
    )
    (tmp_path / ".aws/config").write_text("[default]\nregion=eu-west-1\n[profile team]\nregion = eu-north-1\n")
    home = {"HOME": str(tmp_path)}

    assert found(account(home)) == Credentials("DEF", Secret("d%secret"))
    assert asyncio.run(account(home).region()) == "eu-west-1"
    for of in (account(home | {"AWS_PROFILE": "team"}), account(home | ENVIRONMENT, profile="team")):
        assert found(of) == Credentials("TEAM", Secret("t-secret"), Secret("t-token"))
        assert asyncio.run(of.region()) == "eu-north-1"


def test_a_region_by_default_is_taken_before_the_instance_is_asked() -> None:
    assert asyncio.run(account({}).region("us-east-1")) == "us-east-1"
    assert asyncio.run(account({"AWS_REGION": "eu-west-1"}).region("us-east-1")) == "eu-west-1"


def test_a_file_named_by_an_option_is_read_anew(tmp_path: Path) -> None:
    now = NOW
    file = tmp_path / "keys"
    file.write_text("[default]\naws_access_key_id=ONE\naws_secret_access_key=s\n")
    of = account(ENVIRONMENT, shared_credentials_file=file, clock=lambda: now)
    assert found(of).access_key == "ONE"
    file.write_text("[default]\naws_access_key_id=TWO\naws_secret_access_key=s\n")

    assert found(of).access_key == "ONE"
    now += 301
    assert found(of).access_key == "TWO"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[default]\nrole_arn=x\nsource_profile=y\n", "by role_arn, which Peavey does not do"),
        ("[default]\ncredential_process=x\n", "by credential_process, which"),
        ("s3cr3t", "is not a file of profiles"),
        ("[other]\n", "'default' has no access key"),
    ],
    ids=["role", "process", "no file of profiles", "no key"],
)
def test_files_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    file = tmp_path / "keys"
    file.write_text(content)

    with pytest.raises(MisconfiguredError, match=message) as caught:
        found(account({}, shared_credentials_file=file))
    assert "s3cr3t" not in str(caught.value)


def test_nothing_at_all_says_what_to_do() -> None:
    with pytest.raises(MisconfiguredError, match="give access-key-id and secret-access-key-file, or the plugin"):
        found(account(NOBODY))
    with pytest.raises(MisconfiguredError, match="no AWS region: give region"):
        asyncio.run(account(NOBODY).region())


class Metadata:
    """What an instance tells, to those who have a token of a session."""

    def __init__(self, server: HTTPServer) -> None:
        self.role = role_of("ROLE")
        self.status = 200
        self.server = server
        self.environ = {"AWS_EC2_METADATA_SERVICE_ENDPOINT": server.url_for("").rstrip("/")}
        answer_by(server, self._answer)

    def _answer(self, request: Request) -> Response:
        if self.status != 200:
            return Response(status=self.status)
        if request.method == "PUT" and request.path == "/latest/api/token":
            assert request.headers["X-aws-ec2-metadata-token-ttl-seconds"] == "21600"
            return Response("T0K")
        if request.headers.get("X-aws-ec2-metadata-token") != "T0K":
            return Response(status=401)
        roles = "/latest/meta-data/iam/security-credentials/"
        answers = {roles: b"app\n", f"{roles}app": orjson.dumps(self.role)}
        answers["/latest/meta-data/placement/region"] = b"sa-east-1"
        return Response(answers[request.path])


def test_the_role_of_an_instance_is_renewed_before_it_ends() -> None:
    now = NOW
    with http_server() as server:
        instance = Metadata(server)
        of = account(instance.environ, clock=lambda: now)
        assert found(of) == Credentials("ROLE", Secret("ROLE-secret"), Secret("ROLE-token"), NOW + 3600)
        assert asyncio.run(of.region()) == "sa-east-1"
        instance.role = role_of("NEXT", "2023-11-15T00:13:20Z")
        asked = len(requests_of(server))

        now = NOW + 2900
        assert found(of).access_key == "ROLE"
        assert len(requests_of(server)) == asked
        now = NOW + 3001
        assert found(of).access_key == "NEXT"


def test_credentials_that_still_hold_outlive_a_source_that_fails() -> None:
    now = NOW
    with http_server() as server:
        instance = Metadata(server)
        of = account(instance.environ, clock=lambda: now)
        found(of)
        instance.status = 503

        now = NOW + 3500
        assert found(of).access_key == "ROLE"
        now = NOW + 3601
        with pytest.raises(RetryError, match="have ended and cannot be renewed"):
            found(of)
        instance.status = 200
        instance.role = role_of("NEXT", "2023-11-15T00:13:20Z")
        assert found(of).access_key == "NEXT"


def test_what_was_refused_is_asked_for_anew() -> None:
    with http_server() as server:
        instance = Metadata(server)
        of = account(instance.environ)
        found(of)
        instance.role = role_of("NEXT")
        assert found(of).access_key == "ROLE"

        of.forget()

        assert found(of).access_key == "NEXT"


@pytest.mark.parametrize("way", ["option", "relative", "full"])
def test_the_endpoint_of_a_container(way: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    token = tmp_path / "token"
    token.write_text("s3cr3t\n")
    with http_server() as server:
        server.expect_request("/v2/credentials/7", headers={"Authorization": "s3cr3t"}).respond_with_json(
            role_of("TASK")
        )
        monkeypatch.setattr(metadata, "CONTAINER_ENDPOINT", server.url_for("").rstrip("/"))
        environ = {"AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE": str(token)}
        if way == "relative":
            environ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"] = "/v2/credentials/7"
        if way == "full":
            environ["AWS_CONTAINER_CREDENTIALS_FULL_URI"] = server.url_for("/v2/credentials/7")

        assert found(account(environ, "/v2/credentials/7" if way == "option" else "")).access_key == "TASK"


def test_credentials_are_asked_of_no_stranger_in_the_clear() -> None:
    with pytest.raises(MisconfiguredError, match="must be https, or this host"):
        found(account({"AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://example.com/x"}))


def test_web_identity(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    token = tmp_path / "token"
    token.write_text("j.w.t")
    answer = (
        "<AssumeRoleWithWebIdentityResponse><AssumeRoleWithWebIdentityResult><Credentials><AccessKeyId>WEB</AccessKeyId>"
        "<SecretAccessKey>w&amp;secret</SecretAccessKey><SessionToken>tok</SessionToken>"
        f"<Expiration>{SOON}</Expiration></Credentials></AssumeRoleWithWebIdentityResult></AssumeRoleWithWebIdentityResponse>"
    )
    with http_server() as server:
        answer_by(server, lambda _: Response(answer))
        environ = {
            "AWS_ROLE_ARN": "arn:aws:iam::123456789012:role/logs",
            "AWS_WEB_IDENTITY_TOKEN_FILE": str(token),
            "AWS_REGION": "eu-central-1",
            "AWS_ENDPOINT_URL_STS": server.url_for(""),
        }
        assert found(account(environ)) == Credentials("WEB", Secret("w&secret"), Secret("tok"), NOW + 3600)
        (request,) = requests_of(server)
        assert parse_qs(request.get_data(as_text=True)) == {
            "Action": ["AssumeRoleWithWebIdentity"],
            "Version": ["2011-06-15"],
            "RoleArn": ["arn:aws:iam::123456789012:role/logs"],
            "RoleSessionName": ["peavey"],
            "WebIdentityToken": ["j.w.t"],
        }
        answer_by(server, lambda _: Response("<Code>InvalidIdentityToken</Code> j.w.t", 400))
        with pytest.raises(MisconfiguredError, match="InvalidIdentityToken") as caught:
            found(account(environ))
    assert "j.w.t" not in str(caught.value) + caplog.text
    assert "secret" not in caplog.text


@given(st.binary(max_size=60) | st.sampled_from([b'{"AccessKeyId":1,"SecretAccessKey":"x"}', b"[]", b"{}"]))
def test_any_answer_is_credentials_or_a_failure_without_its_text(answer: bytes) -> None:
    said = ""
    try:
        metadata.read_credentials(answer, "http://site")
    except SinkError as error:
        said = str(error)

    assert said in ("", "http://site gave no AWS credentials that can be read")


def test_services_answer_where_botocore_asks_them() -> None:
    resolver = EndpointResolver(Session().get_data("endpoints"))
    for partition in resolver.get_available_partitions():
        for region in resolver.get_available_endpoints("logs", partition_name=partition):
            endpoint = resolver.construct_endpoint("logs", region)
            if "fips" not in region and endpoint is not None:
                assert service_url("logs", region) == f"https://{endpoint['hostname']}"
