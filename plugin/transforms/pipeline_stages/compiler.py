"""From stages as they were read to the transforms of one tail."""

from collections.abc import Sequence

from plugin.config.pipeline_stages.model import (
    Block,
    Cri,
    Docker,
    Drop,
    Json,
    Labels,
    Logfmt,
    Match,
    Output,
    Regex,
    Replace,
    Rewrite,
    Stage,
    StaticLabels,
    StructuredMetadata,
    Tenant,
    Timestamp,
)
from plugin.config.pipeline_stages.paths import parse_path
from plugin.transforms.base import Holder, Transform
from plugin.transforms.multiline import Multiline
from plugin.transforms.multiline_rules import PatternRules
from plugin.transforms.pipeline_stages.acting import (
    LabelsStep,
    OutputStep,
    StaticLabelsStep,
    StructuredMetadataStep,
    TenantStep,
    TimestampStep,
)
from plugin.transforms.pipeline_stages.entry import Entry
from plugin.transforms.pipeline_stages.extracting import JsonStep, LogfmtStep, RegexStep, ReplaceStep, RewriteStep
from plugin.transforms.pipeline_stages.filtering import DropStep, Selector
from plugin.transforms.pipeline_stages.holding import Branch, PartialLines, Step, Steps, labels_of, seed

_RFC3339 = ("RFC3339Nano",)
_DOCKER: tuple[Stage, ...] = (
    Json(
        tuple((n, parse_path(p)) for n, p in (("output", "log"), ("stream", "stream"), ("timestamp", "time"))),
        "",
        False,
    ),
    Labels((("stream", "stream"),)),
    Timestamp("timestamp", _RFC3339, "", fudges=True),
    Output("output"),
)
_CRI: tuple[Stage, ...] = (
    Regex(r"^(?s)(?P<time>\S+?) (?P<stream>stdout|stderr) (?P<flags>\S+?) (?P<content>.*)$", ""),
    Labels((("stream", "stream"),)),
    Timestamp("time", _RFC3339, "", fudges=True),
    Output("content"),
    Output("tags"),
)


def make_pipeline(stages: Sequence[Stage], before: Sequence[Holder], largest: int) -> list[Transform]:
    """Make the transforms for stages, which hold at most ``largest`` bytes of one event.

    ``before`` are the holders that records come from; the records' ``prepared`` should be `Labelled`.
    """
    transforms = compile_stages(stages, before, largest)
    if not transforms:
        return []
    first = transforms[0]
    if isinstance(first, Steps):
        del transforms[0]
    opening = Steps(first.steps if isinstance(first, Steps) else (), opens=True, closes=not transforms)
    if not transforms:
        return [opening]
    last = transforms[-1]
    if isinstance(last, Steps):
        del transforms[-1]
    return [opening, *transforms, Steps(last.steps if isinstance(last, Steps) else (), closes=True)]


def compile_stages(stages: Sequence[Stage], before: Sequence[Holder], largest: int) -> list[Transform]:
    """Make the transforms for stages alone: the ``prepared`` of records is their `Entry`, and stays so."""
    return _Compiler(before, largest).transforms(stages)


class _Compiler:
    """Makes transforms, each behind the holders that were made before it."""

    def __init__(self, before: Sequence[Holder], largest: int) -> None:
        self._holders = list(before)
        self._largest = largest

    def transforms(self, stages: Sequence[Stage]) -> list[Transform]:
        made: list[Transform] = []
        steps: list[Step] = []
        for stage in stages:
            holder: Holder | None = None
            match stage:
                case Block():
                    holder = self._block(stage)
                case Docker():
                    steps += [seed, *map(_step, _DOCKER)]
                case Cri():
                    steps += [seed, *map(_step, _CRI)]
                    holder = PartialLines(stage, self._largest, tuple(self._holders))
                case Match() if _holds(stage.stages):
                    holder = Branch(Selector(stage.conditions), self.transforms(stage.stages))
                case _:
                    steps.append(_step(stage))
            if holder is not None:
                made += [Steps(steps)] if steps else []
                steps = []
                made.append(holder)
                self._holders.append(holder)
        return [*made, Steps(steps)] if steps else made

    def _block(self, stage: Block) -> Multiline:
        rules = PatternRules(stage.first_line, "halt_before", stage.first_line)
        return Multiline(rules, stage.wait, self._largest, stage.max_lines, tuple(self._holders), labels_of)


def _holds(stages: Sequence[Stage]) -> bool:
    return any(isinstance(one, Block | Cri) or (isinstance(one, Match) and _holds(one.stages)) for one in stages)


def _step(stage: Stage) -> Step:
    match stage:
        case Json():
            return JsonStep(stage)
        case Logfmt():
            return LogfmtStep(stage)
        case Regex():
            return RegexStep(stage)
        case Replace():
            return ReplaceStep(stage)
        case Rewrite():
            return RewriteStep(stage)
        case Labels():
            return LabelsStep(stage)
        case StructuredMetadata():
            return StructuredMetadataStep(stage)
        case StaticLabels():
            return StaticLabelsStep(stage)
        case Timestamp():
            return TimestampStep(stage)
        case Output():
            return OutputStep(stage)
        case Tenant():
            return TenantStep(stage)
        case Drop():
            return DropStep(stage)
        case Match():
            return _branch(stage)
        case Docker():
            return _sequence([seed, *map(_step, _DOCKER)])
        case Block() | Cri():
            raise TypeError(f"{stage} holds records")


def _branch(stage: Match) -> Step:
    wanted = Selector(stage.conditions)
    if not stage.stages:
        return lambda entry: stage.reason if wanted(entry) else None
    run = _sequence([seed, *map(_step, stage.stages)])
    return lambda entry: run(entry) if wanted(entry) else None


def _sequence(steps: Sequence[Step]) -> Step:
    def run(entry: Entry) -> str | None:
        for step in steps:
            if (reason := step(entry)) is not None:
                return reason
        return None

    return run
