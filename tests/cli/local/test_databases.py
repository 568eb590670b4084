from typing import Any

import pytest

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.databases import Server, redirected, server

RDS = {"Fn::GetAtt": ["Database", "Endpoint.Address"]}


@pytest.fixture(autouse=True)
def user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "me")


@pytest.mark.parametrize(
    ("named", "environment", "found"),
    [
        ("127.0.0.1:5433", {}, Server("postgres", "127.0.0.1", 5433, "me", "")),
        ("localhost", {}, Server("postgres", "localhost", 5432, "me", "")),
        ("[::1]:5433", {}, Server("postgres", "::1", 5433, "me", "")),
        ("a:b%40c@localhost/orders", {}, Server("postgres", "localhost", 5432, "a", "b@c", "orders")),
        (
            None,
            {"PGHOST": "localhost", "PGPORT": "6000", "PGUSER": "u", "PGPASSWORD": "p", "PGDATABASE": "d"},
            Server("postgres", "localhost", 6000, "u", "p", "d"),
        ),
        ("127.0.0.1:5433", {"PGHOST": "db.example.com", "PGUSER": "u"}, Server("postgres", "127.0.0.1", 5433, "u", "")),
        (None, {"PGHOST": "db.example.com"}, None),
        (None, {"PGHOST": "/var/run/postgresql"}, None),
        (None, {"PGPORT": "5433"}, None),
        (None, {}, None),
    ],
)
def test_a_server_is_named_or_in_the_variables(
    named: str | None, environment: dict[str, str], found: Server | None
) -> None:
    assert server("postgres", named, environment) == found


def test_mysql_has_its_own_port_and_a_variable_for_its_password_only() -> None:
    found = server("mysql", "root@127.0.0.1", {"MYSQL_PWD": "secret", "MYSQL_HOST": "x", "PGUSER": "y"})
    assert found == Server("mysql", "127.0.0.1", 3306, "root", "secret")
    assert server("mysql", None, {"MYSQL_HOST": "127.0.0.1"}) is None


@pytest.mark.parametrize("named", ["db.example.com:5432", "10.0.0.1", "0.0.0.0:5432", ":5432", "postgres://localhost"])
def test_a_server_on_another_machine_is_rejected(named: str) -> None:
    with pytest.raises(CliError, match=r"--postgres must name a server on a loopback address.*nothing was sent"):
        server("postgres", named, {})


def test_an_invalid_port_is_reported_without_the_password() -> None:
    with pytest.raises(CliError, match="Postgres must be at HOST:PORT") as rejected:
        server("postgres", "me:s3cret@localhost:x", {"PGPASSWORD": "s3cret"})
    assert "s3cret" not in str(rejected.value)
    with pytest.raises(CliError, match="Postgres must be at HOST:PORT") as rejected:
        server("postgres", None, {"PGHOST": "localhost", "PGPORT": "x", "PGPASSWORD": "s3cret"})
    assert "s3cret" not in str(rejected.value)


def consumer(engine: str = "postgres", host: Any = RDS, **variables: Any) -> dict[str, Any]:
    own = {"WEBHOOK_DATABASE_HOST": host, "WEBHOOK_DATABASE_NAME": "orders", "WEBHOOK_DATABASE_TLS": "true"}
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {
            "Handler": f"webhook_runtime.handlers.{engine}",
            "VpcConfig": {"SubnetIds": []},
            "Environment": {"Variables": own | variables},
        },
        "Metadata": {"aws:cdk:path": "Orders/Webhook/Consumer/Resource"},
    }


LOCAL = Server("postgres", "127.0.0.1", 5433, "me", "s3cret")


@pytest.mark.parametrize("login", [{"WEBHOOK_SECRET_ARN": {"Ref": "Secret"}}, {"WEBHOOK_DATABASE_USER": "iam"}])
@pytest.mark.parametrize("host", [RDS, "db.example.com"])
def test_a_consumer_gets_the_address_of_the_server_and_its_secret(login: dict[str, Any], host: Any) -> None:
    whole = {"Resources": {"Consumer": consumer(host=host, **login)}}
    edited, lines = redirected(whole, [LOCAL])
    assert lines == []
    properties = edited["Resources"]["Consumer"]["Properties"]
    assert properties["Environment"]["Variables"] == {
        "WEBHOOK_DATABASE_HOST": "127.0.0.1",
        "WEBHOOK_DATABASE_PORT": "5433",
        "WEBHOOK_DATABASE_NAME": "orders",
        "WEBHOOK_DATABASE_TLS": "false",
        "WEBHOOK_SECRET_ARN": "scalable-webhook-local/postgres/127.0.0.1-5433-me",
    }
    assert "VpcConfig" not in properties
    assert whole == {"Resources": {"Consumer": consumer(host=host, **login)}}
    assert "s3cret" not in str(edited) + repr(LOCAL)


def test_a_named_database_of_the_server_is_used() -> None:
    named = Server("postgres", "127.0.0.1", 5433, "me", "", "other")
    edited, _ = redirected({"Resources": {"Consumer": consumer()}}, [named])
    assert edited["Resources"]["Consumer"]["Properties"]["Environment"]["Variables"]["WEBHOOK_DATABASE_NAME"] == "other"


@pytest.mark.parametrize(
    ("engine", "how"), [("postgres", "--postgres HOST:PORT, or PGHOST"), ("mysql", "--mysql HOST:PORT")]
)
def test_a_sink_without_a_server_is_reported(engine: str, how: str) -> None:
    whole = {"Resources": {"Consumer": consumer(engine)}}
    edited, (line,) = redirected(whole, [])
    assert edited == whole
    assert line.startswith("Orders/Webhook: its ")
    assert line.endswith(how)


@pytest.mark.parametrize(
    "resource",
    [
        consumer(host="127.0.0.1"),
        consumer(host="localhost"),
        {"Type": "AWS::Lambda::Function", "Properties": {"Handler": "orders.handle"}},
        {"Type": "AWS::SQS::Queue"},
    ],
)
def test_a_function_with_a_local_server_or_without_one_is_unchanged(resource: dict[str, Any]) -> None:
    whole = {"Resources": {"It": resource}}
    assert redirected(whole, [LOCAL]) == (whole, [])
