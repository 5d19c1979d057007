"""The options that sinks of AWS have in common, with the sink's prefix before their names."""

from collections.abc import Iterator
from pathlib import Path

from plugin.config import types
from plugin.config.schema import Option, Options
from plugin.config.secrets import Secret


class AwsOptions(Options):
    """Region and credentials, for a sink to nest by its prefix."""

    region = Option(
        name="region",
        kind=types.TEXT,
        default="",
        shown_default="AWS_REGION of the plugin's environment, that of the profile, or the instance's own",
        help="The AWS region, such as eu-central-1.",
    )
    access_key_id = Option(
        name="access-key-id",
        kind=types.TEXT,
        default="",
        shown_default="what environment, shared files, container endpoint or instance role give",
        help="The id of an AWS access key; its secret is needed, too.",
    )
    secret_access_key: Option[Secret | None] = Option(
        name="secret-access-key", kind=types.SECRET, shown_default="none", help="The secret of that access key."
    )
    session_token: Option[Secret | None] = Option(
        name="session-token",
        kind=types.SECRET,
        shown_default="none",
        help="The session token of an access key that is temporary.",
    )
    profile = Option(
        name="profile",
        kind=types.TEXT,
        default="",
        shown_default="AWS_PROFILE of the plugin's environment, or default",
        help="The profile of the shared files whose credentials and region are used.",
    )
    shared_credentials_file: Option[Path | None] = Option(
        name="shared-credentials-file",
        kind=types.FILE,
        shown_default="AWS_SHARED_CREDENTIALS_FILE of the plugin's environment, or ~/.aws/credentials",
        help="A file of credentials by profile, as AWS's tools have them. In the managed plugin, below /etc/peavey.",
    )

    def check(self) -> Iterator[str]:
        """Yield what does not go together."""
        key, secret = self.name_of(AwsOptions.access_key_id), self.name_of(AwsOptions.secret_access_key)
        if self.access_key_id and self.secret_access_key is None:
            yield f"{key} needs {secret} or {secret}-file"
        if self.secret_access_key is not None and not self.access_key_id:
            yield f"{secret} needs {key}"
        if self.session_token is not None and not self.access_key_id:
            yield f"{self.name_of(AwsOptions.session_token)} needs {key} and {secret}"
        yield from super().check()
