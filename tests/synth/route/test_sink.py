"""The effect of each sink on the stack: the place, the permissions and the asset of the consumer."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Duration, Environment, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from cdk_scalable_webhook import (
    ConsumerOptions,
    QueueOptions,
    Retry,
    RuntimeLayer,
    ScalableWebhook,
    Sink,
)
from webhook_runtime.contract import authorities

from ... import isolated

POSTGRES = rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.VER_17)
MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
MARIADB = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_10_11)
AURORA = rds.DatabaseClusterEngine.aurora_postgres(version=rds.AuroraPostgresEngineVersion.VER_16_6)
AURORA_MYSQL = rds.DatabaseClusterEngine.aurora_mysql(version=rds.AuroraMysqlEngineVersion.VER_3_08_0)


def new_stack() -> Stack:
    """Return a stack whose template tells the places of its assets, as with the CDK CLI."""
    return Stack(App(context={"aws:cdk:enable-asset-metadata": True}), "Stack")


@pytest.fixture
def stack() -> Stack:
    return new_stack()


@pytest.fixture
def vpc(stack: Stack) -> ec2.Vpc:
    return ec2.Vpc(stack, "Vpc")


def function(template: Template) -> dict[str, Any]:
    """Return the properties of the consumer."""
    (found,) = template.find_resources(
        "AWS::Lambda::Function", {"Properties": {"Description": Match.string_like_regexp("Stores")}}
    ).values()
    properties: dict[str, Any] = found["Properties"]
    return properties


def packed(stack: Stack, name: str = "WebhookConsumer") -> Path:
    """Return the folder of the asset of a function or layer."""
    assembly = Stack.of(stack).node.root.synth()  # type: ignore[attr-defined]
    (artifact,) = assembly.stacks
    for id, resource in artifact.template["Resources"].items():
        if id.startswith(name) and "aws:asset:path" in resource.get("Metadata", {}):
            return Path(assembly.directory, resource["Metadata"]["aws:asset:path"])
    raise AssertionError(f"{name} has no asset")


def a_database(kind: str, stack: Stack) -> Sink:
    """Return a sink for a database of this kind, or of this host."""
    vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
    secret = secretsmanager.Secret(stack, "Secret")
    given: dict[str, Any] = {"database_name": "d", "secret": secret}
    match kind:
        case "cluster":
            writer = rds.ClusterInstance.serverless_v2("Writer")
            return Sink.postgres(rds.DatabaseCluster(stack, "Aurora", engine=AURORA, writer=writer, vpc=vpc), **given)
        case "a host that only deployment knows":
            return Sink.postgres(host=CfnParameter(stack, "Host").value_as_string, **given)
        case "instance" | "proxy" | "without TLS" | "with ca_certificates":
            instance = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc)
            if kind == "proxy":
                return Sink.postgres(instance.add_proxy("Proxy", secrets=[secret], vpc=vpc), vpc=vpc, **given)
            own = __file__ if kind == "with ca_certificates" else None
            return Sink.postgres(instance, tls=kind != "without TLS", ca_certificates=own, **given)
    if kind.startswith("imported "):
        imported = rds.DatabaseInstance.from_database_instance_attributes(
            stack,
            "Imported",
            instance_endpoint_address=kind.removeprefix("imported "),
            instance_identifier="db",
            port=5432,
            security_groups=[],
        )
        return Sink.postgres(imported, vpc=vpc, **given)
    return Sink.postgres(host=kind, **given)


def statements(template: Template, role: str = "WebhookConsumerRole") -> list[dict[str, Any]]:
    policies = template.find_resources("AWS::IAM::Policy").values()
    return [
        statement
        for policy in policies
        if policy["Properties"]["Roles"][0]["Ref"].startswith(role)
        for statement in policy["Properties"]["PolicyDocument"]["Statement"]
    ]


def actions(template: Template) -> set[str]:
    found = [statement["Action"] for statement in statements(template)]
    return {each for action in found for each in ([action] if isinstance(action, str) else action)}


class TestDatabase:
    def test_an_instance_in_a_vpc_is_reached_with_its_own_secret(self, stack: Stack, vpc: ec2.Vpc) -> None:
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc)
        sink = Sink.postgres(database, database_name="orders", table_name="hooks", create_table=True)
        webhook = ScalableWebhook(stack, "Webhook", sink=sink)
        template = Template.from_stack(stack)

        variables = function(template)["Environment"]["Variables"]
        assert variables["WEBHOOK_DATABASE_HOST"]["Fn::GetAtt"][1] == "Endpoint.Address"
        assert variables["WEBHOOK_DATABASE_PORT"]["Fn::GetAtt"][1] == "Endpoint.Port"
        assert variables["WEBHOOK_SECRET_ARN"]["Ref"].startswith("DatabaseSecretAttachment")
        assert [variables[f"WEBHOOK_{name}"] for name in ("DATABASE_NAME", "TABLE_NAME", "CREATE_TABLE")] == [
            "orders",
            "hooks",
            "true",
        ]
        assert variables["WEBHOOK_DATABASE_TLS"] == "true"
        assert len(function(template)["VpcConfig"]["SubnetIds"]) == 2
        template.has_resource_properties(
            "AWS::EC2::SecurityGroupIngress",
            {
                "FromPort": {"Fn::GetAtt": [Match.any_value(), "Endpoint.Port"]},
                "SourceSecurityGroupId": {"Fn::GetAtt": [Match.string_like_regexp("WebhookConsumer"), "GroupId"]},
            },
        )
        assert {"secretsmanager:GetSecretValue", "sqs:ChangeMessageVisibility"} <= actions(template)
        assert webhook.sink is sink

    @pytest.mark.parametrize(
        ("engine", "make"), [(MYSQL, Sink.mysql), (MARIADB, Sink.mysql), (POSTGRES, Sink.postgres)]
    )
    def test_the_engine_decides_which_driver_is_packed(
        self, stack: Stack, vpc: ec2.Vpc, engine: Any, make: Any
    ) -> None:
        database = rds.DatabaseInstance(stack, "Database", engine=engine, vpc=vpc)
        ScalableWebhook(stack, "Webhook", sink=make(database, database_name="orders"))
        names = {path.name for path in packed(stack).iterdir()}
        assert "webhook_runtime" in names
        assert ("pg8000" in names, "pymysql" in names) == (make is Sink.postgres, make is Sink.mysql)

    def test_the_asset_runs_without_other_packages_and_has_no_superfluous_files(
        self, stack: Stack, tmp_path: Path
    ) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        ScalableWebhook(stack, "Webhook", sink=Sink.postgres(host="db", database_name="d", secret=secret))
        asset = packed(stack)
        check = "import webhook_runtime.sinks.postgres as sink; print(sink.pg8000.native.__file__)"
        run = isolated.run(check, asset, isolated.lambdas_packages(tmp_path / "lambda"))
        assert run.stdout.startswith(str(asset)), run.stderr
        modules = {path.name for path in asset.iterdir() if not path.name.endswith(".dist-info")}
        assert modules == {"webhook_runtime", "pg8000", "scramp"}
        assert not [path for path in asset.rglob("*") if path.suffix == ".pyc" or path.name in ("RECORD", "testing.py")]

    def test_a_cluster_is_reached_at_the_endpoint_of_its_writer(self, stack: Stack, vpc: ec2.Vpc) -> None:
        writer = rds.ClusterInstance.serverless_v2("Writer")
        cluster = rds.DatabaseCluster(stack, "Aurora", engine=AURORA, writer=writer, vpc=vpc)
        ScalableWebhook(stack, "Webhook", sink=Sink.postgres(cluster, database_name="orders"))
        host = function(Template.from_stack(stack))["Environment"]["Variables"]["WEBHOOK_DATABASE_HOST"]
        assert host["Fn::GetAtt"][1] == "Endpoint.Address"

    def test_a_proxy_is_reached_at_the_port_of_its_engine(self, stack: Stack, vpc: ec2.Vpc) -> None:
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc)
        assert database.secret
        proxy = database.add_proxy("Proxy", secrets=[database.secret], vpc=vpc)
        sink = Sink.postgres(proxy, database_name="orders", secret=database.secret, vpc=vpc)
        ScalableWebhook(stack, "Webhook", sink=sink)
        template = Template.from_stack(stack)
        variables = function(template)["Environment"]["Variables"]
        assert variables["WEBHOOK_DATABASE_PORT"] == "5432"
        assert variables["WEBHOOK_DATABASE_HOST"]["Fn::GetAtt"][1] == "Endpoint"
        rules = template.find_resources("AWS::EC2::SecurityGroupIngress").values()
        assert any("WebhookConsumer" in json.dumps(rule) for rule in rules)

    @pytest.mark.parametrize("kind", ["instance", "cluster", "proxy", "data_api"])
    def test_a_database_of_another_stack_makes_no_cyclic_dependency(self, kind: str) -> None:
        app = App()
        data, web = Stack(app, "Data"), Stack(app, "Web")
        vpc = ec2.Vpc(data, "Vpc")
        sink: Sink
        if kind in ("instance", "proxy"):
            database = rds.DatabaseInstance(data, "Database", engine=POSTGRES, vpc=vpc)
            assert database.secret
            proxy = database.add_proxy("Proxy", secrets=[database.secret], vpc=vpc)
            server = database if kind == "instance" else proxy
            sink = Sink.postgres(server, database_name="d", secret=database.secret, vpc=vpc)
        else:
            writer = rds.ClusterInstance.serverless_v2("Writer")
            cluster = rds.DatabaseCluster(data, "Aurora", engine=AURORA, writer=writer, vpc=vpc, enable_data_api=True)
            make = Sink.postgres if kind == "cluster" else Sink.data_api
            sink = make(cluster, database_name="d")
        ScalableWebhook(web, "Webhook", sink=sink)
        templates = {stack.stack_name: stack.template for stack in app.synth().stacks}
        rules = [r for r in templates["Web"]["Resources"].values() if r["Type"] == "AWS::EC2::SecurityGroupIngress"]
        assert len(rules) == (0 if kind == "data_api" else 1)

    @pytest.mark.parametrize("kind", ["instance", "cluster", "proxy"])
    def test_an_imported_database_is_reached_too(self, stack: Stack, vpc: ec2.Vpc, kind: str) -> None:
        groups = [ec2.SecurityGroup(stack, "Group", vpc=vpc)]
        secret = secretsmanager.Secret.from_secret_name_v2(stack, "Secret", "orders")
        imported: Any
        if kind == "instance":
            imported = rds.DatabaseInstance.from_database_instance_attributes(
                stack,
                "Db",
                instance_endpoint_address="db.example",
                instance_identifier="db",
                port=5433,
                security_groups=groups,
            )
        elif kind == "cluster":
            imported = rds.DatabaseCluster.from_database_cluster_attributes(
                stack,
                "Db",
                cluster_endpoint_address="db.example",
                cluster_identifier="db",
                port=5433,
                security_groups=groups,
            )
        else:
            imported = rds.DatabaseProxy.from_database_proxy_attributes(
                stack, "Db", db_proxy_arn="arn:aws:rds:us-east-1:123456789012:db-proxy:p", db_proxy_name="p",
                endpoint="db.example", security_groups=groups,
            )  # fmt: skip
        sink = Sink.postgres(imported, database_name="orders", secret=secret, vpc=vpc)
        ScalableWebhook(stack, "Webhook", sink=sink)
        template = Template.from_stack(stack)
        variables = function(template)["Environment"]["Variables"]
        assert variables["WEBHOOK_DATABASE_HOST"] == "db.example"
        assert variables["WEBHOOK_DATABASE_PORT"] == ("5432" if kind == "proxy" else "5433")

    def test_an_iam_user_needs_no_secret(self, stack: Stack, vpc: ec2.Vpc) -> None:
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc, iam_authentication=True)
        ScalableWebhook(stack, "Webhook", sink=Sink.postgres(database, database_name="orders", iam_user="webhook"))
        template = Template.from_stack(stack)
        assert "rds-db:connect" in actions(template)
        assert "secretsmanager:GetSecretValue" not in actions(template)
        variables = function(template)["Environment"]["Variables"]
        assert variables["WEBHOOK_DATABASE_USER"] == "webhook"
        assert "WEBHOOK_SECRET_ARN" not in variables

    def test_the_certificates_of_a_server_outside_of_the_cdk_are_packed(
        self, stack: Stack, vpc: ec2.Vpc, tmp_path: Path
    ) -> None:
        authority = tmp_path / "mainframe.pem"
        authority.write_text("the authority")
        sink = Sink.mysql(
            host="mainframe.internal",
            port=3307,
            database_name="orders",
            secret=secretsmanager.Secret(stack, "Secret"),
            vpc=vpc,
            vpc_subnets=ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_WITH_EGRESS),
            security_groups=[ec2.SecurityGroup(stack, "Mine", vpc=vpc)],
            ca_certificates=str(authority),
        )
        ScalableWebhook(stack, "Webhook", sink=sink)
        assert (packed(stack) / "ca-certificates.pem").read_text() == "the authority"

    @pytest.mark.parametrize("region", ["us-gov-west-1", "cn-north-1", "mx-central-1"])
    def test_a_region_without_packed_certificates_needs_ca_certificates(self, region: str, tmp_path: Path) -> None:
        stack = Stack(App(), "Stack", env=Environment(account="1" * 12, region=region))
        vpc = ec2.Vpc(stack, "Vpc", max_azs=1)
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc)
        authorities = tmp_path / "bundle.pem"
        authorities.write_text("-----BEGIN CERTIFICATE-----")
        with pytest.raises(ValueError, match=f"^ca_certificates must be given for a database in {region}, got none; "):
            ScalableWebhook(stack, "Rejected", sink=Sink.postgres(database, database_name="d"))
        assert database.secret
        proxy = database.add_proxy("Proxy", secrets=[database.secret], vpc=vpc)
        for name, sink in {
            "Given": Sink.postgres(database, database_name="d", ca_certificates=str(authorities)),
            "Plain": Sink.postgres(database, database_name="d", tls=False),
            "Proxied": Sink.postgres(proxy, database_name="d", secret=database.secret, vpc=vpc),
            "Elsewhere": Sink.postgres(host="db.example.com", database_name="d", secret=database.secret),
        }.items():
            ScalableWebhook(stack, name, sink=sink)

    def test_a_known_host_in_a_region_without_packed_certificates_needs_ca_certificates(self, stack: Stack) -> None:
        host = "orders.abc123.cn-north-1.rds.amazonaws.com.cn"
        sink = Sink.postgres(host=host, database_name="d", secret=secretsmanager.Secret(stack, "Secret"))
        with pytest.raises(
            ValueError, match=r"^ca_certificates must be given for a database in cn-north-1, got none; "
        ):
            ScalableWebhook(stack, "Webhook", sink=sink)

    @pytest.mark.parametrize(
        ("kind", "region", "packed_regions"),
        [
            ("instance", "eu-west-1", {"eu-west-1"}),
            ("cluster", "eu-west-1", {"eu-west-1"}),
            ("instance", None, None),
            ("proxy", "eu-west-1", set()),
            ("proxy", None, set()),
            ("without TLS", None, set()),
            ("with ca_certificates", None, set()),
            ("orders.abc123.eu-west-1.rds.amazonaws.com", None, {"eu-west-1"}),
            ("orders.abc123.eu-west-1.rds.amazonaws.com", "us-east-1", {"eu-west-1"}),
            ("imported orders.abc123.eu-west-1.rds.amazonaws.com", None, {"eu-west-1"}),
            ("db.example.com", "eu-west-1", set()),
            ("orders.proxy-abc123.eu-west-1.rds.amazonaws.com", None, set()),
            ("a host that only deployment knows", "eu-west-1", None),
        ],
    )
    def test_a_function_has_the_certificates_of_the_regions_in_which_its_database_may_be(
        self, kind: str, region: str | None, packed_regions: set[str] | None
    ) -> None:
        stack = Stack(
            App(context={"aws:cdk:enable-asset-metadata": True}),
            "Stack",
            env=Environment(account="1" * 12, region=region),
        )
        ScalableWebhook(stack, "Webhook", sink=a_database(kind, stack))
        (bundle,) = packed(stack).rglob(authorities.BUNDLE.name)
        whole = authorities.BUNDLE.read_text()
        wanted = [whole] if packed_regions is None else [authorities.authorities_of(each) for each in packed_regions]
        assert bundle.read_text() == "".join(wanted)

    @pytest.mark.parametrize("region", ["us-east-1", "eu-central-2", None])
    def test_a_region_with_packed_certificates_or_an_unknown_region_needs_none(self, region: str | None) -> None:
        stack = Stack(App(), "Stack", env=Environment(region=region))
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=ec2.Vpc(stack, "Vpc", max_azs=1))
        ScalableWebhook(stack, "Webhook", sink=Sink.postgres(database, database_name="d"))
        variables = {"WEBHOOK_DATABASE_TLS": "true", "WEBHOOK_CA_CERTIFICATES": Match.absent()}
        Template.from_stack(stack).has_resource_properties(
            "AWS::Lambda::Function", {"Environment": {"Variables": variables}}
        )

    def test_isolated_subnets_give_a_warning_about_interface_endpoints(self, stack: Stack) -> None:
        isolated = ec2.SubnetConfiguration(name="data", subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        vpc = ec2.Vpc(stack, "Vpc", subnet_configuration=[isolated], nat_gateways=0)
        subnets = ec2.SubnetSelection(subnet_type=ec2.SubnetType.PRIVATE_ISOLATED)
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc, vpc_subnets=subnets)
        ScalableWebhook(stack, "Webhook", sink=Sink.postgres(database, database_name="orders"))
        Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("interface endpoints for SQS"))

    def test_the_function_may_create_its_network_interfaces_and_nothing_else(self, stack: Stack, vpc: ec2.Vpc) -> None:
        database = rds.DatabaseInstance(stack, "Database", engine=POSTGRES, vpc=vpc)
        ScalableWebhook(stack, "Webhook", sink=Sink.postgres(database, database_name="orders"))
        roles = Template.from_stack(stack).find_resources("AWS::IAM::Role")
        (role,) = [role for id, role in roles.items() if id.startswith("WebhookConsumerRole")]
        assert "ManagedPolicyArns" not in role["Properties"]
        (policy,) = role["Properties"]["Policies"]
        (statement,) = policy["PolicyDocument"]["Statement"]
        assert {"ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"} <= set(statement["Action"])
        assert all(action.startswith("ec2:") for action in statement["Action"])

    def test_a_consumer_with_less_time_than_its_statement_gives_a_warning(self, stack: Stack) -> None:
        sink = Sink.postgres(host="h", database_name="d", secret=secretsmanager.Secret(stack, "Secret"))
        ScalableWebhook(stack, "Webhook", sink=sink, consumer=ConsumerOptions(timeout=Duration.seconds(24)))
        message = "timeout should be at least 25 seconds with a database, got 24"
        Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp(message))

    def test_the_statement_that_creates_the_table_can_be_printed(self, stack: Stack) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        sink = Sink.postgres(host="h", database_name="d", secret=secret, table_name="orders.hooks")
        assert sink.create_table_statement.startswith('CREATE TABLE IF NOT EXISTS "orders"."hooks" (')
        other = Sink.mysql(host="h", database_name="d", secret=secret)
        assert other.create_table_statement.startswith("CREATE TABLE IF NOT EXISTS `webhooks` (")

    def test_without_the_driver_the_error_names_the_extra_to_install(self, stack: Stack, monkeypatch: Any) -> None:
        monkeypatch.setattr("cdk_scalable_webhook.packaging.distributions.is_installed", lambda _: False)
        secret = secretsmanager.Secret(stack, "Secret")
        with pytest.raises(ValueError, match=r'pip install "cdk-scalable-webhook\[postgres\]"'):
            Sink.postgres(host="h", database_name="d", secret=secret)
        with pytest.raises(ValueError, match=r'pip install "cdk-scalable-webhook\[mysql\]"'):
            Sink.mysql(host="h", database_name="d", secret=secret)


class TestDataApi:
    @pytest.mark.parametrize(("engine", "name"), [(AURORA, "postgres"), (AURORA_MYSQL, "mysql")])
    def test_it_needs_no_vpc_and_may_only_run_batches_of_statements(
        self, stack: Stack, vpc: ec2.Vpc, engine: Any, name: str
    ) -> None:
        writer = rds.ClusterInstance.serverless_v2("Writer")
        cluster = rds.DatabaseCluster(stack, "Aurora", engine=engine, writer=writer, vpc=vpc, enable_data_api=True)
        sink = Sink.data_api(cluster, database_name="orders")
        ScalableWebhook(stack, "Webhook", sink=sink)
        template = Template.from_stack(stack)
        assert "VpcConfig" not in function(template)
        assert function(template)["Environment"]["Variables"]["WEBHOOK_DATABASE_ENGINE"] == name
        assert {each for each in actions(template) if each.startswith("rds-data")} == {"rds-data:BatchExecuteStatement"}
        assert "secretsmanager:GetSecretValue" in actions(template)
        assert "CREATE TABLE" in sink.create_table_statement

    def test_creating_the_table_needs_one_more_permission(self, stack: Stack, vpc: ec2.Vpc) -> None:
        writer = rds.ClusterInstance.serverless_v2("Writer")
        cluster = rds.DatabaseCluster(stack, "Aurora", engine=AURORA, writer=writer, vpc=vpc, enable_data_api=True)
        ScalableWebhook(stack, "Webhook", sink=Sink.data_api(cluster, database_name="orders", create_table=True))
        assert "rds-data:ExecuteStatement" in actions(Template.from_stack(stack))


class TestHttp:
    def test_it_may_read_its_signing_secret(self, stack: Stack) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        ScalableWebhook(stack, "Webhook", sink=Sink.http("https://example.com/in", signing_secret=secret))
        template = Template.from_stack(stack)
        variables = function(template)["Environment"]["Variables"]
        assert (variables["WEBHOOK_URL"], variables["WEBHOOK_TIMEOUT_SECONDS"]) == ("https://example.com/in", "10")
        assert "secretsmanager:GetSecretValue" in actions(template)
        assert "VpcConfig" not in function(template)

    def test_a_service_in_a_vpc_is_reached_from_there(self, stack: Stack, vpc: ec2.Vpc) -> None:
        sink = Sink.http("https://orders.internal", vpc=vpc, timeout=Duration.seconds(5))
        ScalableWebhook(stack, "Webhook", sink=sink)
        assert "VpcConfig" in function(Template.from_stack(stack))

    def test_plain_http_gives_a_warning(self, stack: Stack) -> None:
        ScalableWebhook(stack, "Webhook", sink=Sink.http("http://example.com"))
        Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp("url should be https"))


class TestPython:
    def test_a_folder_is_packed_with_its_packages(self, stack: Stack, tmp_path: Path) -> None:
        (tmp_path / "orders").mkdir()
        (tmp_path / "orders" / "__init__.py").write_text("")
        (tmp_path / "orders" / "intake.py").write_text("import scramp\ndef handle(webhook): ...\n")
        (tmp_path / "testing.py").write_text("")  # a module of the run time has this name, too
        sink = Sink.python(
            str(tmp_path), "orders.intake.handle", packages=["scramp"], environment={"TABLE": "t"}, batch=True
        )
        ScalableWebhook(stack, "Webhook", sink=sink)
        variables = function(Template.from_stack(stack))["Environment"]["Variables"]
        assert variables["TABLE"] == "t"
        assert (variables["WEBHOOK_HANDLER"], variables["WEBHOOK_HANDLER_BATCH"]) == ("orders.intake.handle", "true")
        names = {path.name for path in packed(stack).iterdir()}
        assert {"orders", "testing.py", "scramp", "asn1crypto", "webhook_runtime"} <= names

    def test_a_module_is_packed_alone(self, stack: Stack, tmp_path: Path) -> None:
        (tmp_path / "orders.py").write_text("handle = print\n")
        (tmp_path / "other.py").write_text("")
        ScalableWebhook(stack, "Webhook", sink=Sink.python(str(tmp_path / "orders.py"), "orders.handle"))
        names = {path.name for path in packed(stack).iterdir()}
        assert names == {"orders.py", "webhook_runtime"}

    def test_a_package_with_native_code_is_rejected(self, stack: Stack, tmp_path: Path) -> None:
        (tmp_path / "orders.py").write_text("def handle(webhook): ...\n")
        sink = Sink.python(str(tmp_path), "orders.handle", packages=["psutil"])
        with pytest.raises(ValueError, match="packages must be pure Python, got psutil, which has the native"):
            ScalableWebhook(stack, "Webhook", sink=sink)


class TestRetry:
    def test_the_settings_of_the_consumer_have_the_waits_and_the_count(self, stack: Stack) -> None:
        retry = Retry(initial=Duration.seconds(5), maximum=Duration.minutes(1))
        webhook = ScalableWebhook(stack, "Webhook", retry=retry, queue=QueueOptions(max_receive_count=8))
        variables = function(Template.from_stack(stack))["Environment"]["Variables"]
        assert variables["WEBHOOK_RETRY_INITIAL_SECONDS"] == "5"
        assert variables["WEBHOOK_RETRY_MAXIMUM_SECONDS"] == "60"
        assert variables["WEBHOOK_MAX_RECEIVE_COUNT"] == "8"
        # 5, 10, 20, 40, 60, 60, 60 seconds at most, and half of that on average.
        assert webhook.outage_tolerance
        assert webhook.outage_tolerance.to_seconds() == 128

    def test_by_default_the_outage_tolerance_is_a_few_minutes(self, stack: Stack) -> None:
        webhook = ScalableWebhook(stack, "Webhook")
        assert webhook.outage_tolerance
        assert webhook.outage_tolerance.to_human_string() == "3 minutes 45 seconds"
        Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("outage"))

    def test_a_short_outage_tolerance_gives_a_warning(self, stack: Stack) -> None:
        ScalableWebhook(stack, "Webhook", retry=Retry(initial=Duration.seconds(1)))
        message = r"max_receive_count \(5\) and retry survive an outage of the sink of about 8 seconds"
        Annotations.from_stack(stack).has_warning("*", Match.string_like_regexp(message))


def test_the_layer_has_the_run_time_in_the_folder_that_lambda_reads(stack: Stack) -> None:
    layer = RuntimeLayer(stack, "Runtime")
    assert isinstance(layer, lambda_.LayerVersion)
    assert (packed(stack, "Runtime") / "python" / "webhook_runtime" / "message.py").is_file()


def test_an_asset_is_the_same_in_every_synth(tmp_path: Path) -> None:
    (tmp_path / "orders.py").write_text("def handle(webhook): ...\n")
    names = set()
    for _ in range(2):
        stack = new_stack()
        sink = Sink.python(str(tmp_path), "orders.handle", packages=["pg8000"])
        ScalableWebhook(stack, "Webhook", sink=sink)
        names.add(packed(stack).name)
    assert len(names) == 1


def test_without_staging_the_folder_in_the_template_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    context = {"aws:cdk:enable-asset-metadata": True, "aws:cdk:disable-asset-staging": True}
    stack = Stack(App(context=context), "Stack")
    ScalableWebhook(stack, "Webhook")
    assert (packed(stack) / "webhook_runtime" / "consumer.py").is_file()


def test_with_staging_no_temporary_folder_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    ScalableWebhook(new_stack(), "Webhook")
    assert list(tmp_path.iterdir()) == []
