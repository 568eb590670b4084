"""Test the handler without AWS: a webhook is one line."""

import os
from decimal import Decimal

import pytest

from webhook_runtime import Permanent
from webhook_runtime.testing import webhook

os.environ |= {"TABLE_NAME": "totals", "AWS_DEFAULT_REGION": "us-east-1"}
import orders


def test_the_total_is_that_of_all_items() -> None:
    items = [{"price": "12.50", "quantity": 2}, {"price": 3, "quantity": 1}]
    assert orders.total(webhook(json={"items": items})) == Decimal("28.00")


@pytest.mark.parametrize("body", [b"", b"no JSON", b"[]", b'{"items": [{"price": "a lot", "quantity": 1}]}'])
def test_an_order_without_prices_is_a_permanent_failure(body: bytes) -> None:
    with pytest.raises(Permanent, match="price and quantity"):
        orders.total(webhook(body))
