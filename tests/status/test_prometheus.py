"""Metrics follow Prometheus' conventions, and say what the status says."""

import re
from pathlib import Path

from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse

from plugin.delivery.histogram import Histogram
from plugin.status.model import DestinationState, Disk, FilteredRecords, Status, at
from plugin.status.prometheus import Metrics
from tests.status.examples import NOW, SECOND, container, destination, sink, status

PAGE = Path(__file__).parents[2] / "docs" / "status.md"


def rendered(given: Status, accept: str = "") -> str:
    return Metrics(lambda: given).render(accept)[0].decode()


def samples(given: Status) -> dict[str, list[tuple[dict[str, str], float]]]:
    found: dict[str, list[tuple[dict[str, str], float]]] = {}
    for family in parse(rendered(given)):
        for sample in family.samples:
            found.setdefault(sample.name, []).append((sample.labels, sample.value))
    return found


def test_they_are_prometheus_text_by_default() -> None:
    content, media_type = Metrics(status).render("")
    assert media_type == "text/plain; version=0.0.4; charset=utf-8"
    assert b"# TYPE peavey_destination_batches_total counter\n" in content


def test_they_are_openmetrics_where_that_is_preferred() -> None:
    content, media_type = Metrics(status).render("application/openmetrics-text; version=1.0.0")
    assert media_type.startswith("application/openmetrics-text; version=1.0.0")
    families = parse_openmetrics(content.decode())  # type: ignore[no-untyped-call]
    assert {family.name for family in families} > {"peavey_build", "peavey_sink_records"}


def test_a_container_has_what_came_in() -> None:
    found = samples(status(containers=[container(1, dropped_lines=3, dropped_bytes=99, throttled=True)]))
    labels = {"container_id": f"{1:064x}", "container_name": "web-1"}
    assert found["peavey_container_received_bytes_total"] == [(labels, 5_000_000)]
    assert found["peavey_container_journal_bytes"] == [(labels, 3_000_000)]
    assert found["peavey_container_dropped_lines_total"] == [(labels, 3)]
    assert found["peavey_container_dropped_bytes_total"] == [(labels, 99)]
    assert found["peavey_container_throttled"] == [(labels, 1)]


def test_each_of_its_sinks_has_how_far_it_has_come() -> None:
    found = samples(status(containers=[container(1, sinks=[sink(), sink("audit", lag_bytes=0)])]))
    labels = {"container_id": f"{1:064x}", "container_name": "web-1", "sink": "loki", "type": "loki"}
    assert found["peavey_sink_lag_bytes"] == [(labels, 2_500_000), (labels | {"sink": "audit"}, 0)]
    assert found["peavey_sink_lag_seconds"][0] == (labels, 30.5)
    assert found["peavey_sink_lag_lines"][0] == (labels, 31_000)
    assert found["peavey_sink_records_total"][0] == (labels, 12_345)
    assert found["peavey_sink_dead_letters_total"][0] == (labels, 2)
    assert found["peavey_sink_gap_bytes_total"][0] == (labels, 4_096)
    assert found["peavey_sink_last_success_timestamp_seconds"][0] == (labels, NOW / SECOND - 31)


def test_what_was_kept_back_on_purpose_is_told_by_stage_and_reason() -> None:
    kept = [FilteredRecords(stage="filter", reason="exclude", records=7)]
    found = samples(status(containers=[container(1, sinks=[sink(filtered=kept), sink("audit")])]))
    labels = {"container_id": f"{1:064x}", "container_name": "web-1", "sink": "loki", "type": "loki"}
    assert found["peavey_sink_filtered_records_total"] == [(labels | {"stage": "filter", "reason": "exclude"}, 7)]


def test_containers_that_have_stopped_are_summed_up_by_destination() -> None:
    stopped = [container(number, streams=0, sinks=[sink(lag_seconds=float(number))]) for number in range(1, 4)]
    done = container(4, streams=0, sinks=[sink(lag_bytes=0, lag_lines=0, lag_seconds=0.0)])
    found = samples(status(containers=[container(), *stopped, done]))
    labels = {"destination": "0badcafe", "sink": "loki", "type": "loki", "state": "stopped"}
    running = labels | {"state": "running"}
    assert found["peavey_destination_waiting_containers"] == [(running, 1), (labels, 3)]
    assert found["peavey_destination_lag_bytes"] == [(running, 2_500_000), (labels, 7_500_000)]
    assert found["peavey_destination_lag_lines"] == [(running, 31_000), (labels, 93_000)]
    assert found["peavey_destination_lag_seconds"] == [(running, 30.5), (labels, 3)]
    assert found["peavey_containers"] == [({"state": "running"}, 1), ({"state": "stopped"}, 4)]
    assert found["peavey_journal_bytes"] == [({"state": "running"}, 3_000_000), ({"state": "stopped"}, 12_000_000)]


def test_more_containers_that_have_stopped_make_no_more_samples() -> None:
    def count(stopped: int) -> int:
        containers = [container(), *(container(1 + number, streams=0) for number in range(stopped))]
        return sum(map(len, samples(status(containers=containers)).values()))

    assert count(1) == count(90)


def test_what_is_lost_is_counted_and_never_less_when_containers_go() -> None:
    given = status(containers=[container(1), container(2, sinks=[sink(gap_bytes=4)])])
    metrics = Metrics(lambda: given)

    def lost() -> list[float]:
        families = parse(metrics.render("")[0].decode())
        return [one.value for family in families for one in family.samples if "destination_gap_bytes" in one.name]

    assert lost() == [4_100]
    given = status(containers=[container(2, streams=0, sinks=[sink(gap_bytes=10)])])
    assert lost() == [4_106]


def test_a_sink_that_cannot_be_used_has_no_destination() -> None:
    faulty = sink("audit", destination="", faults=["no such file"])
    found = samples(status(containers=[container(sinks=[sink(), faulty])]))
    assert [(labels["destination"], labels["sink"]) for labels, _ in found["peavey_destination_lag_bytes"]] == [
        ("0badcafe", "loki"),
        ("", "audit"),
    ]


def test_the_time_of_delivery_is_a_histogram() -> None:
    found = samples(status())
    labels = {"destination": "0badcafe", "sink": "loki", "type": "loki", "share": "0"}
    buckets = {one["le"]: value for one, value in found["peavey_destination_delivery_seconds_bucket"]}
    assert (buckets["0.1"], buckets["0.25"], buckets["0.5"], buckets["+Inf"]) == (0, 5, 17, 17)
    assert found["peavey_destination_delivery_seconds_count"] == [(labels, 17)]
    assert found["peavey_destination_delivery_seconds_sum"] == [(labels, 4.5)]


def test_a_histogram_of_another_version_is_left_out() -> None:
    odd = destination(delays=Histogram(counts=[1, 2], sum_seconds=3.0))
    assert "peavey_destination_delivery_seconds_bucket" not in samples(status(destinations=[odd]))


def test_what_came_in_is_counted_for_all() -> None:
    found = samples(status())
    assert found["peavey_received_lines_total"] == [({}, 60_000)]
    assert found["peavey_received_bytes_total"] == [({}, 6_000_000)]
    assert found["peavey_dropped_lines_total"] == [({}, 3)]
    assert found["peavey_dropped_bytes_total"] == [({}, 99)]
    assert found["peavey_given_up_bytes_total"] == [({}, 7)]


def test_two_destinations_of_one_name_are_told_apart() -> None:
    two = [destination(), destination(id="deadbeef", failing_since=at(NOW), state=DestinationState.MISCONFIGURED)]
    found = samples(status(destinations=two))
    labels = {"destination": "0badcafe", "sink": "loki", "type": "loki", "share": "0"}
    assert found["peavey_destination_failing"] == [(labels, 0), (labels | {"destination": "deadbeef"}, 1)]
    assert [value for _, value in found["peavey_destination_misconfigured"]] == [0, 1]
    assert found["peavey_destination_sent_bytes_total"][0] == (labels, 777_000)


def test_errors_are_no_labels() -> None:
    failing = destination(failing_since=at(NOW), last_error="connection refused")
    assert "refused" not in rendered(status(destinations=[failing])).replace("refused for good", "")


def test_a_bound_that_is_off_is_left_out() -> None:
    found = samples(
        status(disk=Disk(used_bytes=1, limit_bytes=None, free_bytes=2, keep_free_bytes=None, dropping=True))
    )
    assert not {"peavey_disk_limit_bytes", "peavey_disk_keep_free_bytes"} & found.keys()
    assert found["peavey_disk_full"] == [({}, 1)]


def test_a_name_may_hold_anything() -> None:
    name = 'we"b\\\n{}'
    assert (
        samples(status(containers=[container(name=name)]))["peavey_container_streams"][0][0]["container_name"] == name
    )


def test_all_are_in_the_documentation_and_nothing_else_is() -> None:
    kept = [FilteredRecords(stage="filter", reason="exclude", records=7)]
    everything = status(containers=[container(sinks=[sink(filtered=kept)])])
    ours = {
        re.sub(r"_(bucket|sum|count)$", "", name) if "_delivery_seconds_" in name else name
        for name in samples(everything)
        if name.startswith("peavey_")
    }
    assert set(re.findall(r"^\| `(peavey_[a-z_]+)`", PAGE.read_text(), re.MULTILINE)) == ours
