"""A webhook as a row of the table, and what to do with a table that another version of this library, or you, made."""

import json

from webhook_runtime.message import Webhook

NO_COLUMN = ": the table needs the columns of create_table_statement"
NO_KEY = ": the table needs PRIMARY KEY (id, mount), in place of any unique key of id alone"
OTHER_KEY = ": another row has the same value in a unique key of the table; one of id alone must be of id and mount"


def headers(webhook: Webhook) -> str:
    """All headers as a JSON object."""
    return json.dumps(dict(webhook.headers), ensure_ascii=False)


def received_at(webhook: Webhook) -> str:
    """When it arrived, in UTC, as every database reads it."""
    return webhook.received_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
