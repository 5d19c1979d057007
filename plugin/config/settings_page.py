"""The reference of the plugin's settings, rendered from their declarations as the page ``docs/settings.md``.

``python -m plugin.config.settings_page > docs/settings.md`` regenerates the page.
"""

import sys
from typing import Any

from plugin.config.options_page import escape_cell
from plugin.config.settings import CLOUD_VARIABLES, SETTINGS, Setting

_PAGE_START = """\
<!-- Generated from plugin/config/settings.py; `python -m plugin.config.settings_page` regenerates it. -->

# Settings

What holds for the plugin as a whole; what holds for one container's logs is in [log-opts](log-opts.md). A flag wins
over its variable, a variable over the default, and a variable that is empty counts as not set. A bad value stops the
plugin at its start, with a message that names it; all faults are reported at once.

A managed plugin takes the variables, while it is disabled:

```sh
docker plugin disable --force peavey
docker plugin set peavey PEAVEY_DISK_LIMIT=50g LOG_LEVEL=debug
docker plugin enable --timeout 0 peavey
```

An unmanaged one takes flags as well:

```sh
PEAVEY_DISK_LIMIT=50g peavey serve --data /srv/peavey
```

Sizes count by 1000, as in Docker's `max-size`: `10g` is 10,000,000,000 bytes.

"""


_CLOUDS = """
## Accounts of clouds

What the tools of clouds read of their environment, the sinks for these clouds read of the plugin's. An unmanaged
plugin has whatever its service is given; a managed one takes these, and sees files below `/etc/peavey` alone:

"""


def render_markdown() -> str:
    """Render the reference as a page of documentation."""
    rows = "\n".join(map(_row, SETTINGS))
    clouds = "\n".join(f"| `{name}` | {escape_cell(meaning)} |" for name, meaning in CLOUD_VARIABLES.items())
    return (
        f"{_PAGE_START}| variable | flag | default | accepts | meaning |\n| --- | --- | --- | --- | --- |\n{rows}\n"
        f"{_CLOUDS}| variable | meaning |\n| --- | --- |\n{clouds}\n"
    )


def _row(setting: Setting[Any]) -> str:
    cells = (
        f"`{setting.variable}`",
        f"`{setting.flag}`",
        f"`{setting.default}`" if setting.default else "",
        setting.kind.accepts,
        _meaning(setting),
    )
    return "| " + " | ".join(map(escape_cell, cells)) + " |"


def _meaning(setting: Setting[Any]) -> str:
    if setting.managed == "settable":
        return setting.help
    if setting.managed_value is None:
        return f"{setting.help} Not to be set in a managed plugin."
    return f"{setting.help} In a managed plugin always `{setting.managed_value}`."


if __name__ == "__main__":
    sys.stdout.write(render_markdown())
