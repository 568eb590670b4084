import pytest

from webhook_runtime.contract.backoff import Backoff


@pytest.mark.parametrize("attempt", [*range(1, 12), 60, 1000, 100_000])
@pytest.mark.parametrize(("initial", "maximum"), [(1, 900), (30, 3600), (7.5, 20), (100, 100), (0.25, 39_600)])
def test_the_backoff_is_anywhere_below_twice_the_last_one_and_never_above_the_maximum(
    attempt: int, initial: float, maximum: float
) -> None:
    longest = min(maximum, initial * 2 ** min(attempt - 1, 40))
    delays = [Backoff(initial, maximum).delay(attempt) for _ in range(200)]
    assert all(1 <= delay < longest + 1 for delay in delays)
    assert min(delays) <= max(1, longest / 2) <= max(delays)


@pytest.mark.parametrize(("count", "seconds"), [(1, 0), (2, 30), (3, 90), (6, 930), (7, 1830), (1000, 895530)])
def test_the_longest_delays_of_a_message_are_summed_up_and_take_half_of_it_on_average(
    count: int, seconds: float
) -> None:
    backoff = Backoff(30, 900)
    assert backoff.longest(count) == seconds
    assert backoff.average(count) == seconds / 2
