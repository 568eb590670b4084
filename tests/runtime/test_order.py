"""The order of a FIFO queue: each group by itself, whatever fails, and however batches and groups are interleaved."""

import pytest

from webhook_runtime.batch import Message

from .simulations import ordered, others_held, overlaps, violations
from .world import Clock

# Each batch in progress of the simulation is a thread.
pytestmark = pytest.mark.processes


@pytest.mark.parametrize("seed", range(12))
def test_each_group_keeps_its_order_and_holds_no_other(clock: Clock, seed: int) -> None:
    ledger, mapping = ordered(
        clock, seed=seed, groups=1 + seed, webhooks=150, retry=0.1, permanent=0.05, down=0.02, kills=seed % 4
    )
    assert len(ledger.stored.keys() | ledger.rejected) == 150
    assert violations(ledger) == 0
    assert others_held(ledger, mapping) == 0
    assert len(mapping.killed_at) == seed % 4


def test_groups_run_side_by_side(clock: Clock) -> None:
    _, mapping = ordered(clock, seed=1, groups=20, webhooks=300)
    assert overlaps(mapping) > 0
    batches = [{record["attributes"]["MessageGroupId"] for record in each.batch} for each in mapping.batches]
    assert max(map(len, batches)) > 1


def test_one_group_has_one_batch_at_a_time(clock: Clock) -> None:
    ledger, mapping = ordered(clock, seed=3, groups=1, webhooks=300, retry=0.05, kills=5)
    assert overlaps(mapping) == 0
    assert list(ledger.stored) == [f"g0-{number}" for number in range(300)]


def test_the_checks_of_this_file_can_fail(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """If every message counts as of another group, order is lost; if all count as of one, groups hold each other."""
    monkeypatch.setattr(Message, "group", property(lambda self: self.id))
    ledger, _ = ordered(clock, seed=5, groups=3, webhooks=200, retry=0.2)
    assert violations(ledger) > 0
    clock.now = 0
    monkeypatch.setattr(Message, "group", property(lambda _: "one"))
    assert others_held(*ordered(clock, seed=5, groups=3, webhooks=200, retry=0.2)) > 0
