"""Credentials for AWS: found where its SDKs find them, kept, and renewed before they end."""

import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from plugin.config.files import bounded
from plugin.config.parsing import quote
from plugin.config.secrets import Secret
from plugin.sinks.base import MisconfiguredError, RetryError, SinkError
from plugin.sinks.encoding.sigv4 import Credentials
from plugin.sinks.transport.aws import metadata, shared_files, web_identity
from plugin.sinks.transport.aws.options import AwsOptions

_RENEW_BEFORE = 600.0  # seconds before they end
_LOOK_AGAIN = 300.0  # seconds after which a file that says no end is read again
_TRY_AGAIN = 30.0  # seconds after a renewal that failed, while the old ones still hold


class AwsAccount:
    """Who requests to AWS are made as, and in which region.

    Sources, in this order: options, ``credentials_uri`` (a path of the container endpoint), a profile that an option
    names, environment, web identity, shared files, container endpoint, instance metadata.
    """

    def __init__(
        self,
        options: AwsOptions,
        credentials_uri: str = "",
        *,
        environ: Mapping[str, str] = os.environ,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._options = options
        self._credentials_uri = credentials_uri
        self._environ = environ
        self._clock = clock
        self._known: Credentials | None = None
        self._renew_at = 0.0
        self._region = ""

    @property
    def secrets(self) -> tuple[Secret, ...]:
        """What must not show in messages."""
        return self._known.secrets if self._known else ()

    async def credentials(self) -> Credentials:
        """Return credentials that hold now, renewed if they end soon.

        Raises `MisconfiguredError` if there are none, and `RetryError` if a source that has had some does not answer.
        """
        now = self._clock()
        if self._known is None or now >= self._renew_at:
            try:
                found = await self._find()
            except SinkError as error:
                if self._known is None:
                    raise
                ends = self._known.expires
                if ends is not None and ends <= now:
                    raise RetryError(f"AWS credentials have ended and cannot be renewed: {error}") from error
                self._renew_at = now + _TRY_AGAIN
            else:
                self._known = found
                # Those of an instance may be given out when they have less than that left.
                left = _LOOK_AGAIN if found.expires is None else found.expires - now - _RENEW_BEFORE
                self._renew_at = now + max(left, _TRY_AGAIN)
        return self._known

    async def region(self, default: str = "") -> str:
        """Return the region; raises `MisconfiguredError` if nothing says which.

        With a ``default``, that is taken instead of asking whether this is an instance.
        """
        if not self._region:
            self._region = self._options.region or self._named_region() or default or await self._own_region()
        return self._region

    def forget(self) -> None:
        """Look for credentials again when they are next asked for: AWS has refused those that were given."""
        self._renew_at = 0.0

    async def _find(self) -> Credentials:
        options, environ = self._options, self._environ
        if options.access_key_id and options.secret_access_key is not None:
            return Credentials(options.access_key_id, options.secret_access_key, options.session_token)
        if self._credentials_uri:
            return await self._of_container(metadata.CONTAINER_ENDPOINT + self._credentials_uri)
        named = bool(options.profile or options.shared_credentials_file)
        if not named and (found := self._of_environment()):
            return found
        if not named and (role := environ.get("AWS_ROLE_ARN")) and (name := environ.get("AWS_WEB_IDENTITY_TOKEN_FILE")):
            session_name = environ.get("AWS_ROLE_SESSION_NAME") or "peavey"
            token = _secret_of_operator(name)
            return await web_identity.web_identity_credentials(role, session_name, token, await self.region(), environ)
        if found := shared_files.profile_credentials(self._profile_name(), self._profile()):
            return found
        if named:
            raise MisconfiguredError(f"no AWS credentials: the profile {self._profile_name()!r} has no access key")
        if uri := environ.get("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI"):
            return await self._of_container(metadata.CONTAINER_ENDPOINT + uri)
        if uri := environ.get("AWS_CONTAINER_CREDENTIALS_FULL_URI"):
            return await self._of_container(uri)
        return await self._of_instance()

    def _of_environment(self) -> Credentials | None:
        key, secret, token = (
            self._environ.get(f"AWS_{name}") for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN")
        )
        return Credentials(key, Secret(secret), Secret(token) if token else None) if key and secret else None

    async def _of_container(self, uri: str) -> Credentials:
        token = self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN")
        authorization = Secret(token) if token else None
        if name := self._environ.get("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"):
            authorization = _secret_of_operator(name)
        return await metadata.container_credentials(metadata.container_url(uri), authorization)

    async def _of_instance(self) -> Credentials:
        endpoint = self._instance_endpoint()
        try:
            if endpoint:
                return await metadata.instance_credentials(endpoint)
            tried = "the instance's metadata are turned off by AWS_EC2_METADATA_DISABLED"
        except metadata.NotThereError as error:
            if self._known is not None:
                raise
            tried = str(error)
        key, secret = (
            self._options.name_of(option) for option in (AwsOptions.access_key_id, AwsOptions.secret_access_key)
        )
        raise MisconfiguredError(
            f"no AWS credentials: give {key} and {secret}-file, or the plugin an environment, shared files or a role"
            f" ({tried})"
        )

    def _instance_endpoint(self) -> str:
        """Return where the instance's metadata are, empty if nobody wants them."""
        if self._environ.get("AWS_EC2_METADATA_DISABLED", "").lower() == "true":
            return ""
        return self._environ.get("AWS_EC2_METADATA_SERVICE_ENDPOINT") or metadata.INSTANCE_ENDPOINT

    def _profile_name(self) -> str:
        return self._options.profile or self._environ.get("AWS_PROFILE") or "default"

    def _profile(self) -> dict[str, str]:
        return shared_files.read_profile(self._profile_name(), self._options.shared_credentials_file, self._environ)

    def _named_region(self) -> str:
        environ = self._environ
        return environ.get("AWS_REGION") or environ.get("AWS_DEFAULT_REGION") or self._profile().get("region") or ""

    async def _own_region(self) -> str:
        tried = ""
        try:
            if (endpoint := self._instance_endpoint()) and (region := await metadata.instance_region(endpoint)):
                return region
        except SinkError as error:
            tried = f" ({error})"
        raise MisconfiguredError(f"no AWS region: give {self._options.name_of(AwsOptions.region)}{tried}")


def _secret_of_operator(path: str) -> Secret:
    """Read a secret from a file that the plugin's environment names."""
    try:
        text = bounded(path, Path(path).read_text).strip()
    except (OSError, ValueError) as error:
        raise MisconfiguredError(f"no AWS credentials: cannot read {quote(path)}: {error.__class__.__name__}") from None
    return Secret(text)
