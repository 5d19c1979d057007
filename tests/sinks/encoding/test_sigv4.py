"""Signature Version 4, against AWS's published examples and botocore's signers."""

from datetime import UTC, datetime
from unittest import mock
from urllib.parse import quote

import pytest
from botocore import auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials as BotocoreCredentials
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from plugin.config.secrets import Secret
from plugin.sinks.encoding import sigv4
from plugin.sinks.encoding.sigv4 import UNSIGNED_PAYLOAD, Credentials, body_hash, encode_path, encode_query, sign

SUITE = Credentials("AKIDEXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"))
"""Those of AWS's test suite, ``aws-sig-v4-test-suite``, and of the examples in the user guide."""
SUITE_TIME = datetime(2015, 8, 30, 12, 36, tzinfo=UTC).timestamp()

SORTED_QUERY = "b97d918cfa904a5beff61c982a1b6f458b799221646efd99d3219ec94cdf2500"

S3 = Credentials("AKIAIOSFODNN7EXAMPLE", Secret("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"))
"""Those of the examples in the API reference of S3, "Signature Calculations for the Authorization Header"."""
S3_TIME = datetime(2013, 5, 24, tzinfo=UTC).timestamp()


def signature(authorization: str) -> str:
    return authorization.rpartition("Signature=")[2]


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        ("GET", "/", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("POST", "/", {}, b"", "5da7c1a2acd57cee7505fc6676e4e544621c30862966e37dddb68e92efbe5d6b"),
        ("GET", "/?Param2=value2&Param1=value1", {}, b"", SORTED_QUERY),
        ("GET", "/?%E1%88%B4=bar", {}, b"", "2cdec8eed098649ff3a119c94853b13c643bcf08f8b0a1d91e12c9027818dd04"),
        ("GET", "/example/..", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        ("GET", "//", {}, b"", "5fa00fa31553b73ebf1942676e86291e8372ff2a2260956d9b8aae1d763fbf31"),
        (
            "GET",
            "/",
            {"My-Header1": " value1", "My-Header2": ' "a   b   c"'},
            b"",
            "acc3ed3afb60bb290fc8d2dd0098b9911fcaa05412b367055dee359757a9c736",
        ),
        (
            "POST",
            "/",
            {"Content-Type": "application/x-www-form-urlencoded"},
            b"Param1=value1",
            "ff11897932ad3f4e8b18135d722051e5ac45fc38421b1da7b9d196a0fe09473a",
        ),
    ],
    ids=["vanilla", "post", "query order", "utf8 query", "relative", "slashes", "trim", "form"],
)  # fmt: skip
def test_the_test_suite_of_aws(method: str, path: str, headers: dict[str, str], body: bytes, expected: str) -> None:
    url = URL(f"https://example.amazonaws.com{path}", encoded=True)

    added = sign(
        method,
        url,
        headers,
        body_hash(body),
        region="us-east-1",
        service="service",
        credentials=SUITE,
        now=SUITE_TIME,
    )

    assert signature(added["Authorization"]) == expected


def test_the_example_of_the_user_guide() -> None:
    added = sign(
        "GET",
        URL("https://iam.amazonaws.com/?Action=ListUsers&Version=2010-05-08"),
        {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"},
        body_hash(b""),
        region="us-east-1",
        service="iam",
        credentials=SUITE,
        now=SUITE_TIME,
    )

    assert added == {
        "X-Amz-Date": "20150830T123600Z",
        "Authorization": "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/20150830/us-east-1/iam/aws4_request,"
        " SignedHeaders=content-type;host;x-amz-date,"
        " Signature=5d672d79c15b13162d9279b0855cfba6789a8edb4c82c400e06b5924a6f2b5d7",
    }


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "expected"),
    [
        (
            "GET",
            "/test.txt",
            {"Range": "bytes=0-9"},
            b"",
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        ),
        (
            "PUT",
            "/test$file.text",
            {"Date": "Fri, 24 May 2013 00:00:00 GMT", "x-amz-storage-class": "REDUCED_REDUNDANCY"},
            b"Welcome to Amazon S3.",
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        ),
        ("GET", "/?lifecycle", {}, b"", "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"),
        ("GET", "/?max-keys=2&prefix=J", {}, b"", "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"),
    ],
    ids=["get", "put", "lifecycle", "list"],
)
def test_the_examples_of_s3(method: str, path: str, headers: dict[str, str], body: bytes, expected: str) -> None:
    added = sign(
        method,
        URL(f"https://examplebucket.s3.amazonaws.com{path}", encoded=True),
        headers,
        body_hash(body),
        region="us-east-1",
        service="s3",
        credentials=S3,
        now=S3_TIME,
        path_rules="s3",
    )

    assert signature(added["Authorization"]) == expected
    assert added["X-Amz-Content-SHA256"] == body_hash(body)


PIECES = st.text(st.characters(min_codepoint=1, exclude_categories=["Cs"]), max_size=12)
NAMES = st.from_regex(r"\A[A-Za-z][A-Za-z0-9-]{0,10}\Z")
VALUES = st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=20)
HOSTS = st.sampled_from(["logs.us-east-1.amazonaws.com", "127.0.0.1:5000", "[::1]:9000", "b.example:8443"])
OURS = {"x-amz-date", "x-amz-security-token", "x-amz-content-sha256", "authorization", "host", "date"}


@given(
    st.sampled_from(["GET", "PUT", "POST"]),
    st.sampled_from(["http", "https"]),
    HOSTS,
    st.lists(PIECES | st.sampled_from(["", ".", ".."]), max_size=4),
    st.lists(st.tuples(PIECES, PIECES), max_size=4),
    st.dictionaries(NAMES.filter(lambda name: name.lower() not in OURS), VALUES, max_size=4),
    st.binary(max_size=50),
    st.none() | st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30),
    st.sampled_from(["eu-central-1", "us-east-1"]),
    st.booleans(),
    st.datetimes(datetime(2013, 1, 1), datetime(2100, 1, 1)),  # noqa: DTZ001 (hypothesis wants bounds without a zone)
)
def test_as_botocore_signs(
    method: str,
    scheme: str,
    host: str,
    parts: list[str],
    parameters: list[tuple[str, str]],
    headers: dict[str, str],
    body: bytes,
    token: str | None,
    region: str,
    is_s3: bool,
    moment: datetime,
) -> None:
    headers = {name.lower(): value for name, value in headers.items()}
    path, query = encode_path("/" + "/".join(parts)), encode_query(parameters)
    text = f"{scheme}://{host}{path}{'?' if query else ''}{query}"
    request = AWSRequest(method, text, headers=headers, data=body)
    signer = auth.S3SigV4Auth if is_s3 else auth.SigV4Auth
    with mock.patch.object(auth, "get_current_datetime", return_value=moment):
        signer(BotocoreCredentials("KEY", "secret", token), "logs", region).add_auth(request)

    added = sign(
        method,
        URL(text, encoded=True),
        headers,
        body_hash(body),
        region=region,
        service="logs",
        credentials=Credentials("KEY", Secret("secret"), None if token is None else Secret(token)),
        now=moment.replace(tzinfo=UTC).timestamp(),
        path_rules="s3" if is_s3 else "normalized",
    )

    assert added == {name: value for name, value in request.headers.items() if name not in headers}


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=30))
def test_s3_signs_a_path_alike_however_much_of_it_was_encoded(key: str) -> None:
    urls = [URL(f"https://b.example/{quote(key, safe=safe)}", encoded=True) for safe in ("", "/!$&'()*+,;=:@~")]

    one, other = (
        sign(
            "GET", url, {}, UNSIGNED_PAYLOAD, region="r", service="s3", credentials=S3, now=S3_TIME, path_rules="s3"
        ) for url in urls
    )  # fmt: skip

    assert one == other


def test_what_may_change_on_the_way_is_not_signed() -> None:
    url = URL("https://logs.example/")
    headers = {"User-Agent": "x", "Connection": "close", "Transfer-Encoding": "chunked", "Expect": "100-continue"}

    def added(**more: str) -> str:
        return sign(
            "POST", url, more, "", region="r", service="logs", credentials=SUITE, now=SUITE_TIME
        )["Authorization"]  # fmt: skip

    assert added(**headers) == added()
    assert added(**{"X-Other": "1"}) != added()


def test_credentials_do_not_show() -> None:
    credentials = Credentials("AKID", Secret("s3cr3t"), Secret("t0k3n"))

    assert "s3cr3t" not in repr(credentials)
    assert "t0k3n" not in repr(credentials)
    assert [secret.reveal() for secret in credentials.secrets] == ["s3cr3t", "t0k3n"]
    assert sigv4.Credentials("AKID", Secret("s3cr3t")).secrets == (Secret("s3cr3t"),)
