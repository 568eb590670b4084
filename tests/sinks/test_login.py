"""Credentials for a database: from a secret, or as a token that IAM has signed."""

from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
from postgres_server import PostgresServer

from webhook_runtime.sinks.database import Credentials, DatabaseSink
from webhook_runtime.sinks.postgres import PostgresDriver
from webhook_runtime.testing import webhook

from .harnesses import CREDENTIALS, PostgresHarness
from .queue_harness import Queue


def test_a_token_is_signed_for_host_port_and_user_without_a_call(postgres: PostgresServer) -> None:
    harness = PostgresHarness(postgres)
    settings = harness.settings(
        database_host="db.example", database_port=5433, secret_arn=None, database_user="webhook"
    )
    user, token = Credentials(settings, None, boto3.client("rds", **CREDENTIALS)).get()
    signed = urlsplit(f"https://{token}")
    query = parse_qs(signed.query)
    assert user == "webhook"
    assert signed.netloc == "db.example:5433"
    assert (query["Action"], query["DBUser"], query["X-Amz-Expires"]) == (["connect"], ["webhook"], ["900"])
    harness.close()


class Rds:
    """Signs these tokens, one after the other."""

    def __init__(self, *tokens: Callable[[], str]) -> None:
        self._tokens = list(tokens)

    def generate_db_auth_token(self, *_: Any) -> str:
        return self._tokens.pop(0)()


def test_each_connection_has_a_token_of_its_own(postgres: PostgresServer) -> None:
    harness = PostgresHarness(postgres)
    settings = harness.settings(secret_arn=None, database_user=harness.user)
    rds = Rds(lambda: postgres.password, lambda: postgres.password)
    sink = DatabaseSink(settings, PostgresDriver(settings), Credentials(settings, None, rds))
    queue = Queue()
    for _ in range(2):
        queue.send(webhook(b"x"))
        assert queue.deliver(queue.consumer(sink).handle) == []
        harness.link.drop()
    assert len(harness.rows()) == 2
    assert rds._tokens == []
    harness.close()


def test_a_token_that_is_rejected_leaves_the_batch_for_later(postgres: PostgresServer) -> None:
    harness = PostgresHarness(postgres)
    settings = harness.settings(secret_arn=None, database_user=harness.user)
    sink = DatabaseSink(settings, PostgresDriver(settings), Credentials(settings, None, Rds(lambda: "expired")))
    queue = Queue()
    queue.send(webhook(b"x"))
    assert len(queue.deliver(queue.consumer(sink).handle)) == 1
    assert queue.dead_letters == []
    assert harness.link.attempts == 1
    harness.close()
