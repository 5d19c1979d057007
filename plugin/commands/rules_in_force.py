"""What makes containers' options, for commands that read the data folder."""

import argparse
from collections.abc import Mapping
from dataclasses import replace

from plugin.config.effective import Rules
from plugin.config.files import restrict
from plugin.config.settings import load_settings
from plugin.journal.accepted_profiles import read_accepted
from plugin.journal.layout import DataFolder
from plugin.sinks.registry import schema

RULES_SETTINGS = ["logging_dir", "log_opts", "file_roots"]
"""The settings that `rules_in_force` reads."""


def rules_in_force(data: DataFolder, arguments: argparse.Namespace, environ: Mapping[str, str]) -> Rules:
    """Return the rules by which the plugin goes, and restrict this process to the files that log-opts may name.

    The plugin-wide log-opts are those that were given, else those of the plugin that ran last. Raises ``PeaveyError``.
    """
    settings = load_settings(vars(arguments), environ, schema(), RULES_SETTINGS)
    restrict(replace(settings.file_access, data=str(data.path)))
    accepted = read_accepted(data)
    return Rules(settings.log_opts or accepted.log_opts, schema(), accepted.profiles)
