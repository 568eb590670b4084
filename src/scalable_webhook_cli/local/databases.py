"""A server on this machine for a sink whose database is on RDS or elsewhere.

Only the template that is deployed locally has the other address and secret. The app does not change.
"""

import getpass
import json
import re
from collections.abc import Iterable, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote, urlsplit

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.assembly import Template, path_of, resources_of
from scalable_webhook_cli.local.emulator import Emulator
from scalable_webhook_cli.target import is_loopback

_HANDLER = re.compile(r"webhook_runtime\.handlers\.(?P<engine>postgres|mysql)")
_NAMES = {"postgres": "Postgres", "mysql": "MySQL"}
_PORTS = {"postgres": 5432, "mysql": 3306}
# The environment variables of each engine's own programs.
_VARIABLES = {
    "postgres": {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "name": "PGDATABASE"},
    "mysql": {"password": "MYSQL_PWD"},
}
_HOW = {"postgres": "--postgres HOST:PORT, or PGHOST", "mysql": "--mysql HOST:PORT"}


@dataclass(frozen=True)
class Server:
    """A database server on this machine. ``database`` is None to keep the app's own name."""

    engine: str
    host: str
    port: int
    user: str
    password: str = field(repr=False)
    database: str | None = None

    @property
    def secret_name(self) -> str:
        """The name of the secret with user and password in the local Secrets Manager."""
        which = re.sub(r"[^A-Za-z0-9.]", "-", f"{self.host}-{self.port}-{self.user}")
        return f"scalable-webhook-local/{self.engine}/{which}"

    def save_secret(self, emulator: Emulator, region: str) -> None:
        """Store user and password in the local Secrets Manager, where the consumer reads them as on AWS."""
        secrets = emulator.within(region).client("secretsmanager")
        value = json.dumps({"username": self.user, "password": self.password})
        try:
            secrets.create_secret(Name=self.secret_name, SecretString=value)
        except secrets.exceptions.ResourceExistsException:
            secrets.put_secret_value(SecretId=self.secret_name, SecretString=value)


def server(engine: str, named: str | None, environment: Mapping[str, str]) -> Server | None:
    """Return the server of ``[USER[:PASSWORD]@]HOST[:PORT][/DATABASE]``, or None if there is none on this machine.

    Missing parts are read from the engine's usual variables, and then have the defaults of its programs.

    Raises:
        CliError: The name is no server, or it is not on this machine.
    """
    told = {what: environment.get(variable) for what, variable in _VARIABLES[engine].items()}
    try:
        parts = urlsplit(f"//{named or told.get('host') or ''}")
        port = parts.port or int(told.get("port") or _PORTS[engine])
    except ValueError:
        got = named.rpartition("@")[2] if named else f"port {told.get('port')}"  # and never the password
        raise CliError(f"{_NAMES[engine]} must be at HOST:PORT, with a number as its port, got {got}") from None
    host = parts.hostname
    if host is None or not is_loopback(host):
        if named is None:  # the variables may be set for another purpose
            return None
        raise CliError(
            f"--{engine} must name a server on a loopback address, as 127.0.0.1:{_PORTS[engine]}, got "
            f"{named.rpartition('@')[2]}; nothing was sent"
        )
    return Server(
        engine,
        host,
        port,
        user=unquote(parts.username or "") or told.get("user") or getpass.getuser(),
        password=unquote(parts.password or "") or told.get("password") or "",
        database=parts.path.strip("/") or told.get("name"),
    )


def redirected(template: Template, servers: Iterable[Server]) -> tuple[Template, list[str]]:
    """Return the template with these servers for sinks without one here, and a line for each other sink."""
    by_engine = {server.engine: server for server in servers}
    edited = deepcopy(dict(template))
    lines = []
    for id, resource in resources_of(edited).items():
        engine = _engine_without_server(resource)
        if engine is None:
            continue
        if engine in by_engine:
            _redirect(resource["Properties"], by_engine[engine])
            continue
        # The first route of a webhook has no name of its own.
        path = path_of(id, resource).removesuffix("/Consumer").removesuffix("/Default")
        lines.append(
            f"{path}: its {_NAMES[engine]} is not on this machine, so its webhooks wait, and then go to the "
            f"dead-letter queue; to store them here, name one: {_HOW[engine]}"
        )
    return edited, lines


def _engine_without_server(resource: Mapping[str, Any]) -> str | None:
    """Return the engine of a consumer whose database is not on this machine."""
    properties = resource.get("Properties", {})
    handler = _HANDLER.fullmatch(str(properties.get("Handler", "")))
    if resource["Type"] != "AWS::Lambda::Function" or handler is None:
        return None
    host = properties["Environment"]["Variables"].get("WEBHOOK_DATABASE_HOST")
    return None if isinstance(host, str) and is_loopback(host) else handler["engine"]


def _redirect(function: dict[str, Any], server: Server) -> None:
    """Set the server's address and secret in a consumer.

    It signs in by password, without TLS and outside its VPC, since nothing leaves the machine.
    """
    function.pop("VpcConfig", None)
    variables = function["Environment"]["Variables"]
    variables.pop("WEBHOOK_DATABASE_USER", None)
    variables |= {
        "WEBHOOK_DATABASE_HOST": server.host,
        "WEBHOOK_DATABASE_PORT": str(server.port),
        "WEBHOOK_DATABASE_TLS": "false",
        "WEBHOOK_SECRET_ARN": server.secret_name,
    }
    if server.database is not None:
        variables["WEBHOOK_DATABASE_NAME"] = server.database
