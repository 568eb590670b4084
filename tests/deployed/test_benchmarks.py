"""The benchmarks measure what they claim. No test asserts how fast anything is."""

import socket
from collections.abc import Iterable

import pytest

import breaker
import cold
import cpu
import github
import latency
import side
import sinks
import throttle
from figure import Figure, figure, interleaved, ratio
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.observe import wait_for
from scalable_webhook_cli.processes import free_port

from ..suite.patience import SECONDS


def by_key(figures: Iterable[Figure]) -> dict[str, Figure]:
    return {each.key: each for each in figures}


def test_sides_take_turns_and_neither_is_always_first() -> None:
    order: list[str] = []

    def side(name: str, value: float) -> float:
        order.append(name)
        return value

    values = interleaved({"a": lambda: side("a", 6), "b": lambda: side("b", 2)}, 3)
    assert "".join(order) == "abbaab"
    assert values == {"a": [6, 6, 6], "b": [2, 2, 2]}


def test_a_ratio_is_the_median_of_those_of_each_round() -> None:
    found = ratio("key", [10, 30, 100], [10, 10, 20], goal=">= 3")
    assert (found.low, found.value, found.high) == (1, 3, 5)
    assert found.met


@pytest.mark.parametrize(
    ("goal", "value", "met"),
    [(">= 5", 5, True), (">= 5", 4.99, False), ("<= 1.10", 1.1, True), ("<= 1.10", 1.11, False), ("", 1, None)],
)
def test_a_figure_meets_its_goal_or_not_or_has_none(goal: str, value: float, met: bool | None) -> None:
    assert figure("key", [value], goal=goal).met is met


@pytest.mark.slow(9)
def test_both_sides_of_a_sink_store_everything_over_the_same_link() -> None:
    # It raises an error if one has not.
    figures = by_key(sinks.measure(rounds=1, webhooks=40))
    assert figures["sink.dynamodb_rate_over_original"].goal == ">= 5"
    assert figures["sink.postgres_rate_over_sequential"].goal == ">= 5"
    assert figures["sink.postgres_rate_over_copy"].goal == ">= 0.6"
    assert figures["sink.dynamodb_rate_over_bare"].value > 0
    assert figures["sink.round_trip_ms"].value >= sinks.ROUND_TRIP_MS
    # A kernel may count more for four batches.
    assert figures["sink.local_aws_ours_ms_per_batch"].unit == "ms"
    assert 0 <= figures["sink.local_aws_ours_ms_per_batch"].value < 1000


@pytest.mark.slow(6)
def test_a_cold_start_is_measured_to_its_first_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cold, "STARTS", 1)
    figures = by_key(cold.measure(rounds=1))
    for name in ("consumer", "publisher"):
        assert figures[f"cold.{name}_over_boto3"].goal == "<= 0.35"
        assert figures[f"cold.{name}_over_boto3_cpu"].value > 0
    for name in ("consumer", "publisher", "postgres", "mysql", "data_api", "http", "python", "breaker"):
        assert figures[f"cold.{name}_ms"].value > 0
        # Not that of the process which started it.
        assert 5 < figures[f"memory.{name}_mib"].value < 60


def test_processor_time_comes_with_the_profiles_top_five() -> None:
    figures = by_key(cpu.measure(rounds=1, webhooks=20))
    assert figures["cpu.consumer_over_boto3"].goal == figures["cpu.publisher_over_boto3"].goal == "<= 0.55"
    for key, each in figures.items():
        assert each.value > 0
        assert key.endswith("_over_boto3") or each.note.count("%") == 5


@pytest.mark.slow(15)
def test_the_time_until_a_webhook_is_stored_has_its_parts(emulator: Emulator) -> None:
    # It raises an error if one is not stored.
    deployed = side.side(emulator, side.OURS / "signed")
    figures = by_key(latency.measure(deployed, 1, {10: 1.0}))
    assert {key.partition("stored_")[2] for key in figures} == {"p50_ms_at_10", "p99_ms_at_10"}
    assert figures["latency.accepted_to_stored_p50_ms_at_10"].note.startswith("10 webhooks; of the median ")


def test_a_batch_of_large_messages_takes_a_request_for_each_64_kib() -> None:
    assert github.sqs_requests([100] * 10, 10) == pytest.approx(1 + 2 / 10)
    assert github.sqs_requests([100] * 10, 1) == pytest.approx(3)
    assert github.sqs_requests([40 * 1024] * 10, 10) == pytest.approx(1 + 7 / 10 + 1 / 10)
    assert github.sqs_requests([65 * 1024], 1) == pytest.approx(2 + 2 + 1)


def test_an_item_is_as_large_as_dynamodb_counts() -> None:
    assert github.size_of({"id": {"S": "é"}, "payload": {"B": b"123"}}) == 2 + 2 + 7 + 3
    assert github.size_of({"h": {"M": {"a": {"S": "b"}}}}) == 1 + 3 + (1 + 1) + 1


@pytest.mark.slow(10)
def test_the_figures_of_the_throttle_that_hold_on_any_machine_are_met() -> None:
    figures = by_key([*throttle.sizing(), *throttle.peaks(1), *throttle.adaptive(1), *throttle.order(2)])
    assert len(figures) > 10
    assert [each.key for each in figures.values() if each.met is False] == []


def test_connections_to_a_stopped_server_are_counted_and_closed() -> None:
    counting = breaker.Counting(free_port())
    for _ in range(3):
        with socket.create_connection(("127.0.0.1", counting.port), timeout=SECONDS) as connection:
            assert connection.recv(1) == b""
    assert wait_for(lambda: len(counting.connections) == 3, SECONDS)
    counting.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", counting.port), timeout=SECONDS)


@pytest.mark.parametrize(
    ("times", "most"), [([], 0), ([5], 1), ([0, 60, 180], 1), ([0, 59, 61, 118, 119], 3), ([3, 1, 2], 3)]
)
def test_the_connections_of_a_minute_are_the_most_of_any(times: list[float], most: int) -> None:
    assert breaker.most_in_a_minute(times) == most
