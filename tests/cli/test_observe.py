from collections.abc import Iterator

import pytest

from scalable_webhook_cli.observe import peak, sampled, steps, wait_for

from ..suite.patience import SECONDS


def batch(started: int, ended: int) -> dict[str, object]:
    return {"message": "batch", "started": started, "ended": ended}


def test_the_peak_is_the_most_batches_at_the_same_time() -> None:
    assert peak([]) == 0
    assert peak([batch(0, 10), batch(10, 20)]) == 1
    assert peak([batch(0, 10), batch(5, 20), batch(8, 9), batch(30, 40)]) == 3
    assert peak([{"message": "stored", "id": "a"}, batch(0, 1)]) == 1


def test_steps_say_how_many_are_in_flight_from_each_moment_at_which_that_changes() -> None:
    assert steps([]) == []
    assert steps([(0, 10), (5, 20), (10, 12)]) == [(0, 1), (5, 2), (10, 2), (12, 1), (20, 0)]


def test_a_sampler_looks_until_its_block_ends_and_skips_errors() -> None:
    looks: Iterator[int | Exception] = iter([1, ConnectionError("it is down"), 3, *[2] * 100_000])

    def look() -> int:
        seen = next(looks)
        if isinstance(seen, Exception):
            raise seen
        return seen

    with sampled(look, every=0.001, unanswered=(ConnectionError,)) as samples:
        assert wait_for(lambda: len(samples.points) > 2, SECONDS)
    assert [value for _, value in samples.points[:3]] == [1, 3, 2]
    assert samples.highest == 3
    moments = [moment for moment, _ in samples.points]
    assert moments == sorted(moments)
    seen = len(samples.points)
    assert not wait_for(lambda: len(samples.points) > seen, 0.1)


def test_a_sampler_that_fails_fails_the_block() -> None:
    def look() -> int:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), sampled(look):
        pass
