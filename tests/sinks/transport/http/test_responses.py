import pytest

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError, SinkError, TooLargeError
from plugin.sinks.transport.http.responses import failure, retry_after


def failure_for(status: int, body: bytes = b"", **headers: str) -> SinkError:
    fault = failure("http://h", status, {n.replace("_", "-"): v for n, v in headers.items()}, body)
    assert fault is not None
    return fault


def test_all_of_2xx_is_success() -> None:
    assert [failure("http://h", status, {}, b"") for status in (200, 202, 204, 299)] == [None] * 4


@pytest.mark.parametrize(
    ("kind", "statuses"),
    [
        (RetryError, [408, 425, 429, 500, 502, 503, 504, 507, 599]),
        (RejectError, [400, 409, 411, 422, 431, 499]),
        (TooLargeError, [413]),
        (MisconfiguredError, [301, 302, 307, 308, 401, 403, 404, 405, 407, 415]),
    ],
)
def test_what_a_status_means(kind: type[SinkError], statuses: list[int]) -> None:
    assert {type(failure_for(status)) for status in statuses} == {kind}


def test_a_format_that_the_server_does_not_take_is_no_fault_of_the_records() -> None:
    fault = failure_for(400, b"error: invalid 'Content-Type'")  # Fluent Bit's in_http
    assert type(fault) is MisconfiguredError
    assert str(fault).startswith("http://h answered 400 Bad Request (check which format")
    assert type(failure_for(400, b"content-type: application/json")) is RejectError


def test_a_message_says_who_answered_what() -> None:
    assert str(failure_for(400, b"bad\n line")) == "http://h answered 400 Bad Request: bad line"
    assert str(failure_for(499)) == "http://h answered 499"
    assert "check user and password" in str(failure_for(401))


def test_a_long_body_is_cut_and_control_characters_are_escaped() -> None:
    message = str(failure_for(500, b"\x1b[31m" + b"x" * 10_000))
    assert len(message) < 700
    assert "\x1b" not in message


def test_secrets_that_come_back_in_a_body_are_masked() -> None:
    fault = failure("http://h", 403, {}, b"no such token: t0ken!", [Secret("t0ken!"), Secret("n")])
    assert str(fault).endswith("no such token: ***")


def test_a_secret_that_is_a_part_of_another_leaves_nothing_of_it() -> None:
    fault = failure("http://h", 403, {}, b"t0ken, t0ken!s3cret", [Secret("t0ken"), Secret("t0ken!s3cret")])
    assert str(fault).endswith(": ***, ***")


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        # RFC 9110, 10.2.3 gives both forms; the date is a minute after Date.
        ("120", 120.0),
        ("Fri, 31 Dec 1999 23:59:59 GMT", 60.0),
        ("Fri, 31 Dec 1999 23:00:00 GMT", 0.0),
        ("Sat, 31 Dec 2099 23:59:59 GMT", 3600.0),
        ("999999999", 3600.0),
        ("soon", None),
        ("-1", None),
        ("", None),
        ("²", None),
    ],
)
def test_retry_after(value: str, seconds: float | None) -> None:
    assert retry_after({"Retry-After": value, "Date": "Fri, 31 Dec 1999 23:58:59 GMT"}) == seconds


def test_retry_after_goes_along() -> None:
    fault = failure_for(429, Retry_After="7")
    assert isinstance(fault, RetryError)
    assert fault.after == 7.0
