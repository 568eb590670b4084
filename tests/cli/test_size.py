"""``scalable-webhook size``: the table of a database, its recommendation, and the limits of an account."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from typer.testing import CliRunner

from scalable_webhook_cli import size, target
from scalable_webhook_cli.commands import app
from scalable_webhook_cli.size import Account, Load

from ..runtime.serving import Quiet, Serving


def run(*arguments: str) -> list[str]:
    result = CliRunner().invoke(app, ["size", *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output.splitlines()


def refused(*arguments: str) -> str:
    result = CliRunner().invoke(app, ["size", *arguments], catch_exceptions=False)
    assert result.exit_code != 0
    return " ".join(result.output.split())


def sizing(usable: int) -> size.Sizing:
    return size.of("mysql", instance_class=None, units=None, max_connections=usable + 3, others=0)


def load(rate: float, milliseconds: float = 100, batch_size: int = 10) -> Load:
    return Load(webhooks_per_second=rate, batch_milliseconds=milliseconds, batch_size=batch_size)


def test_the_table_shows_each_number_and_where_it_is_from() -> None:
    assert run("--class", "db.t4g.micro", "--engine", "postgres", "--others", "60") == [
        "    78  max_connections, an estimate; 112 at most",
        "        LEAST({DBInstanceClassMemory/9531392},5000) with 70% of the 1 GiB of db.t4g.micro, at most 112 with "
        "all of it",
        "    -3  reserved: superuser_reserved_connections",
        "    -2  reserved: rds.rds_superuser_reserved_connections",
        "    -3  reserved: AWS automation",
        "   -60  other applications",
        "    10  usable",
        "",
        "Recommended: max_concurrency=2",
        "For some minutes after a deployment, up to 4 connections are open: retired environments of the consumer keep "
        "theirs.",
    ]


@pytest.mark.parametrize(
    ("arguments", "first"),
    [
        (["--class", "db.t4g.medium", "--engine", "aurora-postgresql"], "   405  max_connections"),
        (["--max-acu", "8", "--engine", "aurora-mysql"], " 1,000  max_connections"),
        (["--max-acu", "64", "--engine", "aurora-postgresql"], " 2,000  max_connections"),
        (["--max-acu", "64", "--min-acu", "1", "--engine", "aurora-postgresql"], " 5,000  max_connections"),
        (["--max-connections", "200", "--engine", "mysql"], "   200  max_connections"),
        (["--max-connections", "200", "--class", "db.t3.micro", "--engine", "mysql"], "   200  max_connections"),
    ],
)
def test_a_documented_or_given_number_is_no_estimate(arguments: list[str], first: str) -> None:
    assert run(*arguments)[0] == first


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--engine", "mysql"], "pass --class, --max-acu or --max-connections"),
        (["--engine", "mysql", "--class", "db.t3.micro", "--max-acu", "4"], "pass --class or --max-acu, and not both"),
        (
            ["--engine", "mysql", "--class", "db.q1.large"],
            "of db.q1.large with mysql is not known; pass --max-connections",
        ),
        (["--engine", "mysql", "--max-acu", "4"], "of these capacity units with mysql is not known"),
        (
            ["--engine", "aurora-mysql", "--max-acu", "4", "--min-acu", "64"],
            "--min-acu must be at most --max-acu, got 64 and 4",
        ),
        (["--engine", "aurora-mysql", "--max-acu", "1000"], "should be less than or equal to 256"),
        (["--engine", "aurora-mysql", "--max-acu", "inf"], "should be less than or equal to 256"),
        (
            ["--engine", "mysql", "--max-connections", "9", "--webhooks-per-second", "inf"],
            "should be less than or equal to 1000000",
        ),
        (
            ["--engine", "mysql", "--max-connections", "9", "--batch-milliseconds", "inf"],
            "should be less than or equal to 900000",
        ),
        (["--engine", "oracle", "--class", "db.t3.micro"], "'oracle' is not one of"),
    ],
)
def test_what_is_not_known_is_not_guessed(arguments: list[str], message: str) -> None:
    assert message in refused(*arguments)


@pytest.mark.parametrize(("usable", "number"), [(1, 1), (2, 2), (7, 2), (8, 2), (12, 3), (400, 100), (9000, 1000)])
def test_a_quarter_is_recommended_and_two_if_there_are_so_many(usable: int, number: int) -> None:
    assert f"Recommended: max_concurrency={number}" in "\n".join(size.advice(sizing(usable), None))


def test_so_few_connections_that_twice_as_many_do_not_fit_are_told() -> None:
    assert "Those are too many here." in list(size.advice(sizing(3), None))[-1]
    assert "Those are too many here." not in list(size.advice(sizing(4), None))[-1]


def test_nothing_is_recommended_without_a_connection() -> None:
    (line,) = size.advice(sizing(0), load(1))
    assert line.startswith("No connection is left for a webhook: ")


@pytest.mark.parametrize(
    ("rate", "last"),
    [
        (200, "It is enough for 200 webhooks a second."),
        (250, "It is enough for 250 webhooks a second."),
        (251, "251 webhooks a second need max_concurrency=3, for which the connections are enough."),
        (2000.5, "2,000.5 webhooks a second need 17 batches at a time, which is too many here. "),
    ],
)
def test_a_load_needs_batches_at_a_time_by_littles_law(rate: float, last: str) -> None:
    lines = list(size.advice(sizing(10), load(rate, milliseconds=80)))
    assert lines[2] == "With 10 webhooks a batch, and 80 ms a batch, the sink takes 250 webhooks a second."
    assert lines[3].startswith(last)


class Aws:
    """The two calls, as API Gateway and Lambda answer them. It records each request."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.throttle: dict[str, Any] = {"burstLimit": 5000, "rateLimit": 10000.0}
        self.unreserved = 900

    def answer(self, path: str) -> dict[str, Any]:
        self.asked.append(path)
        if "account-settings" in path:
            limit = {"ConcurrentExecutions": 1000, "UnreservedConcurrentExecutions": self.unreserved}
            return {"AccountLimit": limit}
        return {"throttleSettings": self.throttle}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Aws]:
    made = Aws()

    class Handler(Quiet):
        def do_GET(self) -> None:
            body = json.dumps(made.answer(self.requestline.split()[1])).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with closing(Serving(Handler)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        for name, value in {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b"}.items():
            monkeypatch.setenv(name, value)
        target._of_an_account.cache_clear()
        yield made
    target._of_an_account.cache_clear()


LOAD = ["--webhooks-per-second", "200", "--batch-milliseconds", "40"]
OF_A_CLASS = ["--class", "db.t4g.micro", "--engine", "postgres", "--account", "--region", "eu-west-1"]


def test_the_account_is_only_read_and_says_which_bound_is_met_first(aws: Aws) -> None:
    lines = run(*OF_A_CLASS, *LOAD)
    assert lines[-6:] == [
        "Webhooks a second, by the limits of the account:",
        "     4,250  consumer: max_concurrency=17",
        "     9,000  publisher: 900 of 1,000 environments are unreserved",
        "    10,000  API Gateway: 5,000 more at once; all APIs of the region",
        "Met first: consumer, at 4,250 webhooks a second.",
        "SQS has at most 120,000 messages in flight, and messages that wait for a retry are in flight: 10 minutes of "
        "an outage at 200 webhooks a second.",
    ]
    assert sorted(aws.asked) == ["/2016-08-19/account-settings", "/account"]


def test_without_a_load_the_consumer_has_no_bound(aws: Aws) -> None:
    aws.throttle = {"burstLimit": 1250, "rateLimit": 2500.0}
    assert run(*OF_A_CLASS)[-4:] == [
        "     2,500  API Gateway: 1,250 more at once; all APIs of the region",
        "     9,000  publisher: 900 of 1,000 environments are unreserved",
        "Met first: API Gateway, at 2,500 webhooks a second.",
        "SQS has at most 120,000 messages in flight, and messages that wait for a retry are in flight.",
    ]


def test_fewer_unreserved_environments_than_the_concurrency_bound_the_consumer(aws: Aws) -> None:
    aws.unreserved = 5
    assert "     1,250  consumer: max_concurrency=17" in run(*OF_A_CLASS, *LOAD)


def test_an_account_that_does_not_tell_is_an_error(aws: Aws) -> None:
    aws.throttle = {}
    assert "API Gateway did not tell the limits of this account" in refused(*OF_A_CLASS)


def test_without_a_region_the_error_is_one_sentence(aws: Aws) -> None:
    assert refused(*OF_A_CLASS[:-2]) == "scalable-webhook: You must specify a region."
    assert aws.asked == []


def test_an_address_of_aws_that_is_none_is_an_error_in_one_sentence(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "foo")
    assert "there is no client of apigateway with these settings of AWS: Invalid endpoint: foo" in refused(*OF_A_CLASS)


def test_the_limits_are_read_by_the_client_of_the_target(aws: Aws) -> None:
    found = Account.of(target.Target(region="eu-west-1"))
    assert (found.requests_per_second, found.burst, found.concurrency, found.unreserved) == (10000, 5000, 1000, 900)
