"""The measured functions: ours as they are deployed, with the code and the environment of a real synth."""

import compileall
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OURS, PEERS = (Path(__file__).parent / name for name in ("ours", "peers"))

# One secret has the key of the signatures and the login of the database.
SIGNING_SECRET = "benchmark"  # noqa: S105
DATABASE_NAME = "postgres"

# No profile and no instance metadata may add a real account, and no proxy may be in front of loopback.
_SURROUNDINGS = {
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
    "NO_PROXY": "127.0.0.1",
}


@dataclass(frozen=True)
class Function:
    """The parts of a function for Lambda.

    Attributes:
        folder: Its code.
        handler: ``module.function``.
        environment: Its variables.
    """

    folder: Path
    handler: str
    environment: Mapping[str, str] = field(default_factory=dict)

    def variables(self, endpoint: str) -> dict[str, str]:
        """Return all environment variables of its process.

        Args:
            endpoint: The address of the AWS services.
        """
        surroundings = {**_SURROUNDINGS, "AWS_ENDPOINT_URL": endpoint, "PYTHONPATH": str(self.folder)}
        return {"PATH": os.environ["PATH"], **surroundings, **self.environment}

    def compiled(self) -> "Function":
        """Return the same function with bytecode next to the code, in a folder of its own."""
        folder = self.folder.with_name(f"{self.folder.name}.compiled")
        if not folder.exists():
            shutil.copytree(self.folder, folder)
            compileall.compile_dir(folder, quiet=1)
        return Function(folder, self.handler, self.environment)


def secret(user: str = "", password: str = "") -> str:
    """Return the value of the secret of the functions.

    Args:
        user: The user of the database.
        password: The password of the database.
    """
    return json.dumps({"signing": SIGNING_SECRET, "username": user, "password": password})


def deployed(folder: Path, *, port: int = 5432, every_sink: bool = False) -> dict[str, Function]:
    """Return our functions by webhook and function, such as ``OpenConsumer``. ``Open`` accepts webhooks from anyone,
    ``Signed`` verifies in the publisher, ``Behind`` in the consumer, and ``Postgres`` stores into a server on loopback.

    Args:
        folder: The folder for their code.
        port: The port of the Postgres server.
        every_sink: Whether to add ``Mysql``, ``DataApi``, ``Http`` and ``Python``.
    """
    # Imported late, since it takes a second, and no worker needs it.
    from aws_cdk import App, Stack
    from aws_cdk import aws_rds as rds
    from aws_cdk import aws_secretsmanager as secretsmanager

    from cdk_scalable_webhook import Ingress, ScalableWebhook, Sink, Source

    app = App(outdir=str(folder), context={"aws:cdk:enable-asset-metadata": True})
    stack = Stack(app, "Benchmark")
    kept = secretsmanager.Secret(stack, "Secret")
    github, direct = Source.github(kept, secret_field="signing"), Ingress.direct_integration()  # noqa: S106
    sink = Sink.postgres(
        host="127.0.0.1", port=port, database_name=DATABASE_NAME, create_table=True, secret=kept, tls=False
    )
    ScalableWebhook(stack, "Open")
    ScalableWebhook(stack, "Signed", source=github)
    ScalableWebhook(stack, "Behind", ingress=direct, source=github)
    ScalableWebhook(stack, "Postgres", ingress=direct, sink=sink)
    if every_sink:
        cluster = rds.DatabaseCluster.from_database_cluster_attributes(
            stack, "Cluster", cluster_identifier="aurora", engine=rds.DatabaseClusterEngine.AURORA_POSTGRESQL
        )
        # Nothing listens at the discard port: a batch is retried.
        nowhere: dict[str, Any] = {
            "host": "127.0.0.1",
            "port": 9,
            "database_name": DATABASE_NAME,
            "secret": kept,
            "tls": False,
        }
        for name, other in {
            "Mysql": Sink.mysql(**nowhere),
            "DataApi": Sink.data_api(cluster, database_name=DATABASE_NAME, secret=kept),
            "Http": Sink.http("http://127.0.0.1:9"),
            "Python": Sink.python(OURS / "handler", "keep.handle"),
        }.items():
            ScalableWebhook(stack, name, ingress=direct, sink=other)
    resources = app.synth().get_stack_by_name(stack.stack_name).template["Resources"]
    return {
        id[:-8]: _function(folder, resource)  # without the hash
        for id, resource in resources.items()
        if resource["Type"] == "AWS::Lambda::Function"
    }


def _function(folder: Path, resource: Mapping[str, Any]) -> Function:
    properties = resource["Properties"]
    variables = properties["Environment"]["Variables"]
    environment = {name: _value(value) for name, value in variables.items()}
    return Function(folder / resource["Metadata"]["aws:asset:path"], properties["Handler"], environment)


def _value(value: Any) -> str:
    """Resolve a value as a deployment would, with the id of each resource as its name."""
    match value:
        case str():
            return value
        case {"Ref": "AWS::StackId"}:
            return "arn:aws:cloudformation:us-east-1:123456789012:stack/Benchmark/of-the-stack"
        case {"Ref": id}:
            return str(id)
        case {"Fn::GetAtt": [id, attribute]}:
            return f"{id}.{attribute}"
        case {"Fn::Join": [separator, parts]}:
            return str(separator).join(map(_value, parts))
        case {"Fn::Select": [index, {"Fn::Split": [separator, whole]}]}:
            return _value(whole).split(str(separator))[int(index)]
    raise ValueError(f"an environment variable must have a value that this module can resolve, got {value}")
