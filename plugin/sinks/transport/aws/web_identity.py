"""Credentials for a token of an identity provider, by AWS's Security Token Service (STS).

Source: "AssumeRoleWithWebIdentity" in the API reference of STS.
"""

import html
import re
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlencode

from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RejectError, RetryError
from plugin.sinks.encoding.sigv4 import Credentials
from plugin.sinks.transport.aws.endpoints import service_url
from plugin.sinks.transport.http.client import HttpClient
from plugin.sinks.transport.http.settings import HttpSettings
from plugin.sinks.transport.http.url import parse_url

_SECONDS = 10.0
_ELEMENT = re.compile(r"<(AccessKeyId|SecretAccessKey|SessionToken|Expiration)>([^<]+)</\1>")


async def web_identity_credentials(
    role: str, session_name: str, token: Secret, region: str, environ: Mapping[str, str]
) -> Credentials:
    """Return the credentials of a role for a token.

    Raises `MisconfiguredError` where STS refuses the token or the role, and `RetryError` where it does not answer.
    """
    url = environ.get("AWS_ENDPOINT_URL_STS") or service_url("sts", region)
    settings = HttpSettings(
        url=parse_url(url),
        timeout=_SECONDS,
        headers={"Content-Type": "application/x-www-form-urlencoded"},
        secrets=(token,),
    )
    body = {
        "Action": "AssumeRoleWithWebIdentity",
        "Version": "2011-06-15",
        "RoleArn": role,
        "RoleSessionName": session_name,
        "WebIdentityToken": token.reveal(),
    }
    client = HttpClient(settings)
    try:
        answer = await client.send(urlencode(body).encode())
    except RejectError as error:
        raise MisconfiguredError(f"no AWS credentials for the web identity token: {error}") from error
    finally:
        await client.close()
    found = {name: html.unescape(text) for name, text in _ELEMENT.findall(answer.decode("utf-8", "replace"))}
    try:
        expires = datetime.fromisoformat(found["Expiration"]).timestamp()
        return Credentials(
            found["AccessKeyId"], Secret(found["SecretAccessKey"]), Secret(found["SessionToken"]), expires
        )
    except (KeyError, ValueError):
        raise RetryError(f"{settings.url.site} gave no AWS credentials that can be read") from None
