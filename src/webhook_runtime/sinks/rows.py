"""A webhook as a row of the table, and hints about a table that you or another version of this library made."""

import json

from webhook_runtime.message import Webhook

NO_COLUMN = ": the table needs the columns of create_table_statement"
NO_KEY = ": the table needs PRIMARY KEY (id, mount), in place of any unique key of id alone"
OTHER_KEY = ": another row has the same value in a unique key of the table; one of id alone must be of id and mount"


def headers(webhook: Webhook) -> str:
    """Return all headers as a JSON object."""
    return json.dumps(dict(webhook.headers), ensure_ascii=False)


def received_at(webhook: Webhook) -> str:
    """Return the time of arrival in UTC, in a format that every database reads."""
    return webhook.received_at.strftime("%Y-%m-%d %H:%M:%S.%f")[:-3]
