"""The stages that a container's records go through on their way to one sink, as its log-opts say."""

from collections.abc import Iterable, Sequence

from plugin.config.pipeline_stages.model import Stage
from plugin.config.shaping_kinds import LEVELS
from plugin.config.transform_options import TransformOptions
from plugin.docker.info import Info
from plugin.docker.tag import render_tag
from plugin.transforms.base import Holder, Shape, Transform
from plugin.transforms.dedupe import Dedupe
from plugin.transforms.fields import EditFields
from plugin.transforms.filter import Exclude, Include, MinLevel
from plugin.transforms.levels import Severity
from plugin.transforms.multiline import Multiline
from plugin.transforms.multiline_rules import LanguageRules, PatternRules, Rules
from plugin.transforms.parse import make_parse
from plugin.transforms.pipeline_stages.compiler import make_pipeline
from plugin.transforms.rate_limit import RateLimit
from plugin.transforms.redact import make_private_keys, make_redact
from plugin.transforms.sample import Sample
from plugin.transforms.shapes import Shapes


def make_stages(options: TransformOptions, info: Info, pipeline: Sequence[Stage] = ()) -> Sequence[Transform]:
    """Make the stages that the options ask for, for one tail; nothing where they ask for nothing.

    The order is fixed: multiline, parse, severity, filter, dedupe, sample, rate limit, redact, fields, and the pipeline
    stages of the sink. Only private keys of several lines are looked for before lines of them can be dropped. Raises
    ``TagError`` for a template of ``add-field`` that cannot be rendered for this container.
    """
    stages: list[Transform] = []
    holders: list[Holder] = []
    rules = _rules(options)
    if rules is not None:
        bounds = options.multiline_wait, options.multiline_max_size, options.multiline_max_lines
        _append_holder(stages, holders, Multiline(rules, *bounds))
    if keys := make_private_keys(options, tuple(holders)):
        _append_holder(stages, holders, keys)
    _append(stages, _first_shapes(options))
    if options.dedupe is not None:
        _append_holder(stages, holders, Dedupe(options.dedupe, tuple(holders)))
    if options.sample is not None:
        _append(stages, [Sample(options.sample, info.container_id, every=options.sample_all)])
    if options.rate_limit is not None:
        _append_holder(stages, holders, RateLimit(options.rate_limit, options.rate_limit_burst, tuple(holders)))
    _append(stages, _last_shapes(options, info))
    stages += make_pipeline(pipeline, tuple(holders), options.multiline_max_size)
    return tuple(stages)


def _rules(options: TransformOptions) -> Rules | None:
    if options.begins_event is not None:
        return PatternRules(options.begins_event, options.multiline_mode, options.multiline_start)
    return LanguageRules(options.multiline) if options.multiline else None


def _first_shapes(options: TransformOptions) -> list[Shape]:
    shapes: list[Shape] = []
    if parse := make_parse(options):
        shapes.append(parse)
    if options.detects_level:
        shapes.append(Severity())
    if include := _patterns(options.include, options.include_more.values()):
        shapes.append(Include(include))
    if exclude := _patterns(options.exclude, options.exclude_more.values()):
        shapes.append(Exclude(exclude))
    if options.min_level is not None:
        shapes.append(MinLevel(LEVELS[options.min_level]))
    return shapes


def _last_shapes(options: TransformOptions, info: Info) -> list[Shape]:
    shapes: list[Shape] = []
    if redact := make_redact(options):
        shapes.append(redact)
    if options.add_field or options.drop_field or options.rename_field:
        add = {name: render_tag(template, info) for name, template in options.add_field.items()}
        shapes.append(EditFields(add, options.drop_field, options.rename_field))
    return shapes


def _patterns(first: str | None, more: Iterable[str]) -> list[str]:
    return [*([first] if first else []), *more]


def _append_holder(stages: list[Transform], holders: list[Holder], stage: Holder) -> None:
    stages.append(stage)
    holders.append(stage)


def _append(stages: list[Transform], shapes: list[Shape]) -> None:
    if shapes:
        stages.append(Shapes(shapes))
