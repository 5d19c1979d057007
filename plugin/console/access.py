"""Who may use the web page: who knows the token, or, without one, who is on this host.

A page shows what containers print. So a page of another site must not be able to read it through the browser of one who
may (DNS rebinding, cross-site requests), nor a container that prints scripts.
"""

import hashlib
import hmac
import ipaddress
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

COOKIE = "peavey_session"
_OPEN = ("/healthz", "/login", "/static/")
_SAFE_METHODS = ("GET", "HEAD")
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
"""Sent with every answer. Nothing inline runs, nothing is loaded from elsewhere, and no text can become a script."""


class Access:
    """Decides by a token; empty for none, when only this host is answered."""

    def __init__(self, token: str) -> None:
        self._token = token.encode()
        self._session = hmac.new(self._token, b"peavey console session", hashlib.sha256).hexdigest() if token else ""

    @property
    def needs_token(self) -> bool:
        """Whether there is a token."""
        return bool(self._token)

    def session(self, token: str) -> str | None:
        """Return the value of the cookie for who knows the token; None for who does not."""
        return self._session if self._token and hmac.compare_digest(token.encode(), self._token) else None

    def allows(self, headers: Headers) -> bool:
        """Return whether a request with these headers may see everything."""
        if not self._token:
            return True
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() == "bearer" and self.session(given.strip()) is not None:
            return True
        return hmac.compare_digest(_cookie(headers).encode(), self._session.encode())


def _cookie(headers: Headers) -> str:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


class Gate:
    """Lets requests through that may be answered, and adds the headers that every answer has."""

    def __init__(self, app: ASGIApp, access: Access) -> None:
        self._app = app
        self._access = access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(raw=message["headers"]).update(HEADERS)
            await send(message)

        await (self._refusal(scope) or self._app)(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope) -> ASGIApp | None:
        headers, path, method = Headers(scope=scope), scope["path"], scope["method"]
        if not self._access.needs_token and not is_loopback_name(headers.get("host", "")):
            text = "without a token (PEAVEY_HTTP_TOKEN) the page is only for this host: http://127.0.0.1, http://localhost\n"
            return PlainTextResponse(text, 421)
        if headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
            return PlainTextResponse("this is not for pages of other sites\n", 403)
        if method not in _SAFE_METHODS and "origin" not in headers and "authorization" not in headers:
            return PlainTextResponse("a change needs the header Origin, or a bearer token\n", 403)
        if path.startswith(_OPEN) or self._access.allows(headers):
            return None
        if path == "/":
            return RedirectResponse("/login", 303)
        text = "a token is needed: sign in at /login, or send 'Authorization: Bearer TOKEN' (PEAVEY_HTTP_TOKEN)\n"
        return PlainTextResponse(text, 401, headers={"WWW-Authenticate": 'Bearer realm="peavey"'})


def is_loopback_name(host: str) -> bool:
    """Return whether the value of a header ``Host`` is a name that no name server but this host's own can give."""
    name, _, port = host.rpartition(":")
    bare = (name if name and port.isdigit() else host).lower()
    if bare == "localhost":
        return True
    try:
        return ipaddress.ip_address(bare.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False
