"""The capacity of a database, by all that an app says about it; and the check of ``max_concurrency`` against it."""

import gc
from typing import Any

import pytest
from aws_cdk import App, CfnParameter, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match

from cdk_scalable_webhook import Capacity, ScalableWebhook, Sink

from ..test_existing import (
    AURORA,
    AURORA_MYSQL,
    POSTGRES,
    cluster,
    imported_cluster,
    instance,
    postgres,
    proxy,
    vpc,
    vpc_of,
)

MARIADB = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.VER_11_4_4)
MYSQL = rds.DatabaseInstanceEngine.mysql(version=rds.MysqlEngineVersion.VER_8_0)
MICRO = ec2.InstanceType("t4g.micro")


@pytest.fixture
def stack() -> Stack:
    return Stack(App(), "Stack")


def numbers(capacity: Capacity) -> tuple[Any, ...]:
    return capacity.max_connections, capacity.usable, capacity.usable_at_most, capacity.source


UNKNOWN = (None, None, None, None)


def warnings(stack: Stack) -> list[str]:
    found = Annotations.from_stack(stack).find_warning(
        "*", Match.string_like_regexp(r"cdk-scalable-webhook:connections")
    )
    return [str(each.entry.data) for each in found]


class TestInstance:
    @pytest.mark.parametrize(
        ("engine", "found"),
        [
            (POSTGRES, (78, 70, 104, "class memory")),
            (MYSQL, (59, 56, 82, "class memory")),
            (MARIADB, (29, 26, 39, "class memory")),
        ],
    )
    def test_the_formula_of_the_engine_has_a_share_of_the_memory_of_the_class(
        self, stack: Stack, engine: Any, found: Any
    ) -> None:
        capacity = Capacity.of(instance(stack, engine, instance_type=MICRO))
        assert numbers(capacity) == found
        assert "1 GiB of db.t4g.micro" in capacity.reason

    def test_mariadb_before_10_5_has_the_formula_of_mysql(self, stack: Stack) -> None:
        old = rds.DatabaseInstanceEngine.maria_db(version=rds.MariaDbEngineVersion.of("10.4.34", "10.4"))
        assert numbers(Capacity.of(instance(stack, old, instance_type=MICRO))) == (59, 56, 82, "class memory")

    @pytest.mark.parametrize(
        ("parameters", "found"),
        [
            ({"max_connections": "50"}, (50, 42, 42, "parameter group")),
            ({"max_connections": "{DBInstanceClassMemory/12582880}"}, (59, 51, 77, "parameter group")),
            ({"max_connections": "50", "superuser_reserved_connections": "10"}, (50, 35, 35, "parameter group")),
            ({"max_connections": "4"}, (4, 0, 0, "parameter group")),
            ({"superuser_reserved_connections": "0"}, (78, 73, 107, "class memory")),
            ({"log_statement": "all"}, (78, 70, 104, "class memory")),
            ({"max_connections": "{AllocatedStorage*2}"}, UNKNOWN),
            ({"max_connections": "SUM(200,{DBInstanceClassMemory/-9531392})"}, (87, 79, 113, "parameter group")),
        ],
    )
    def test_a_parameter_group_wins(self, stack: Stack, parameters: Any, found: Any) -> None:
        assert numbers(Capacity.of(instance(stack, instance_type=MICRO, parameters=parameters))) == found

    @pytest.mark.parametrize(
        ("name", "found"), [("default.postgres17", (78, 70, 104, "class memory")), ("of-others", UNKNOWN)]
    )
    def test_an_imported_parameter_group_is_unknown_except_the_default_one(
        self, stack: Stack, name: str, found: Any
    ) -> None:
        group = rds.ParameterGroup.from_parameter_group_name(stack, "Group", name)
        assert numbers(Capacity.of(instance(stack, instance_type=MICRO, parameter_group=group))) == found

    def test_a_parameter_group_of_another_stack_is_known(self, stack: Stack) -> None:
        other = Stack(stack.node.root, "Other")  # type: ignore[arg-type]
        group = rds.ParameterGroup(other, "Group", engine=POSTGRES, parameters={"max_connections": "50"})
        assert numbers(Capacity.of(instance(stack, parameter_group=group))) == (50, 42, 42, "parameter group")

    def test_a_value_that_only_deployment_knows_is_unknown(self, stack: Stack) -> None:
        number = CfnParameter(stack, "Number").value_as_string
        assert numbers(Capacity.of(instance(stack, parameters={"max_connections": number}))) == UNKNOWN

    def test_a_class_that_only_deployment_knows_is_unknown(self, stack: Stack) -> None:
        made = instance(stack)
        resource = made.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)
        resource.db_instance_class = CfnParameter(stack, "Class").value_as_string
        assert numbers(Capacity.of(made)) == UNKNOWN

    @pytest.mark.parametrize("name", ["t4g.nano", "q1.large"])
    def test_an_unknown_class_is_not_guessed(self, stack: Stack, name: str) -> None:
        assert numbers(Capacity.of(instance(stack, instance_type=ec2.InstanceType(name)))) == UNKNOWN

    def test_nothing_is_known_of_another_engine(self, stack: Stack) -> None:
        oracle = rds.DatabaseInstanceEngine.oracle_se2(version=rds.OracleEngineVersion.VER_19)
        assert numbers(Capacity.of(instance(stack, oracle))) == UNKNOWN

    def test_nothing_is_known_of_an_imported_one(self, stack: Stack) -> None:
        capacity = Capacity.of(imported_cluster(stack, engine=AURORA))
        assert numbers(capacity) == UNKNOWN
        assert capacity.recommended_concurrency() is None

    def test_a_database_without_a_class_is_unknown(self, stack: Stack) -> None:
        made = instance(stack)
        resource = made.node.default_child
        assert isinstance(resource, rds.CfnDBInstance)
        resource.db_instance_class = None
        assert numbers(Capacity.of(made)) == UNKNOWN

    def test_a_reserve_that_only_deployment_knows_is_unknown(self, stack: Stack) -> None:
        number = CfnParameter(stack, "Number").value_as_string
        assert numbers(Capacity.of(instance(stack, parameters={"superuser_reserved_connections": number}))) == UNKNOWN

    @pytest.mark.parametrize(("value", "recommended"), [("8", None), ("9", 1), ("10", 2), ("15", 2), ("48", 10)])
    def test_the_recommendation_needs_no_fifo_queue_if_there_are_two_connections(
        self, stack: Stack, value: str, recommended: int | None
    ) -> None:
        made = instance(stack, parameters={"max_connections": value})
        assert Capacity.of(made).recommended_concurrency() == recommended

    def test_a_snapshot_is_known_by_its_class(self, stack: Stack) -> None:
        made = rds.DatabaseInstanceFromSnapshot(
            stack, "Restored", snapshot_identifier="s", engine=MYSQL, vpc=vpc(stack), instance_type=MICRO
        )
        assert numbers(Capacity.of(made)) == (59, 56, 82, "class memory")


class TestCluster:
    @pytest.mark.parametrize(
        ("engine", "units", "found"),
        [
            (AURORA, {}, (396, 388, 815, "class memory")),  # the CDK's default: 0.5 to 2
            (AURORA, {"serverless_v2_max_capacity": 4}, (823, 815, 815, "documented default")),
            (AURORA, {"serverless_v2_max_capacity": 64}, (2000, 1992, 1992, "documented default")),
            (
                AURORA,
                {"serverless_v2_min_capacity": 1, "serverless_v2_max_capacity": 64},
                (5000, 4992, 4992, "documented default"),
            ),
            (AURORA_MYSQL, {"serverless_v2_max_capacity": 1}, (90, 87, 87, "documented default")),
        ],
    )
    def test_aurora_serverless_has_the_documented_default_of_its_units(
        self, stack: Stack, engine: Any, units: Any, found: Any
    ) -> None:
        assert numbers(Capacity.of(cluster(stack, engine, **units))) == found

    @pytest.mark.parametrize("units", ["serverless_v2_min_capacity", "serverless_v2_max_capacity"])
    def test_units_that_only_deployment_knows_are_unknown(self, stack: Stack, units: str) -> None:
        number = CfnParameter(stack, "Units", type="Number").value_as_number
        assert numbers(Capacity.of(cluster(stack, **{units: number}))) == UNKNOWN

    @pytest.mark.parametrize(
        ("value", "found"),
        [
            ("5000", (2000, 1992, 1992, "documented default")),
            ("1000", (1000, 992, 992, "parameter group")),
            ("{DBInstanceClassMemory/9531392}", (2000, 1992, 1992, "documented default")),
        ],
    )
    def test_a_parameter_group_does_not_lift_the_cap_of_the_smallest_units(
        self, stack: Stack, value: str, found: Any
    ) -> None:
        made = cluster(stack, parameters={"max_connections": value}, serverless_v2_max_capacity=64)
        assert numbers(Capacity.of(made)) == found

    def test_units_that_are_set_on_the_resource_win(self, stack: Stack) -> None:
        made = cluster(stack)
        resource = made.node.default_child
        assert isinstance(resource, rds.CfnDBCluster)
        resource.serverless_v2_scaling_configuration = rds.CfnDBCluster.ServerlessV2ScalingConfigurationProperty(
            min_capacity=1, max_capacity=8
        )
        assert Capacity.of(made).max_connections == 1669

    def test_the_smallest_instance_counts_since_it_may_become_the_writer(self, stack: Stack) -> None:
        reader = rds.ClusterInstance.provisioned("Reader", instance_type=ec2.InstanceType("t4g.medium"))
        made = cluster(stack, readers=[reader], serverless_v2_max_capacity=4)
        assert numbers(Capacity.of(made)) == (405, 397, 815, "documented default")

    def test_one_unknown_instance_makes_it_unknown(self, stack: Stack) -> None:
        reader = rds.ClusterInstance.provisioned("Reader", instance_type=ec2.InstanceType("q1.large"))
        assert numbers(Capacity.of(cluster(stack, readers=[reader]))) == UNKNOWN

    def test_the_parameter_group_of_an_instance_wins_over_that_of_the_cluster(self, stack: Stack) -> None:
        def group(id: str, value: str) -> rds.ParameterGroup:
            return rds.ParameterGroup(stack, id, engine=AURORA, parameters={"max_connections": value})

        reader = rds.ClusterInstance.serverless_v2("Reader", parameter_group=group("Of instance", "40"))
        made = cluster(stack, readers=[reader], parameter_group=group("Of cluster", "60"))
        assert numbers(Capacity.of(made)) == (40, 32, 52, "parameter group")

    def test_a_multi_az_cluster_has_the_class_itself(self, stack: Stack) -> None:
        made = cluster(stack)
        resource = made.node.default_child
        assert isinstance(resource, rds.CfnDBCluster)
        resource.engine, resource.db_cluster_instance_class = "postgres", "db.m6gd.large"
        assert numbers(Capacity.of(made)) == (793, 785, 893, "class memory")


class TestProxy:
    @pytest.mark.parametrize(
        ("percent", "usable", "at_most"), [({}, 70, 104), ({"max_connections_percent": 30}, 23, 33)]
    )
    def test_it_has_a_share_of_the_connections_of_its_database(
        self, stack: Stack, percent: Any, usable: int, at_most: int
    ) -> None:
        behind = instance(stack, instance_type=MICRO)
        assert behind.secret
        capacity = Capacity.of(behind.add_proxy("Proxy", secrets=[behind.secret], vpc=vpc_of(stack), **percent))
        assert numbers(capacity) == (78, usable, at_most, "class memory")
        assert ("30%" in capacity.reason) == bool(percent)

    def test_it_may_be_that_of_a_cluster(self, stack: Stack) -> None:
        behind = cluster(stack, serverless_v2_max_capacity=4)
        assert behind.secret
        through = behind.add_proxy("Proxy", secrets=[behind.secret], vpc=vpc_of(stack), max_connections_percent=10)
        assert numbers(Capacity.of(through)) == (823, 82, 82, "documented default")


class TestCheck:
    def test_the_estimate_warns_and_only_the_whole_memory_rejects(self, stack: Stack) -> None:
        sink = postgres(instance(stack, instance_type=MICRO), stack)["sink"]
        with pytest.raises(ValueError, match="must be at most 104, the connections that Stack/Instance has"):
            ScalableWebhook(stack, "A", sink=sink, max_concurrency=105)
        assert warnings(stack) == []
        ScalableWebhook(stack, "B", sink=sink, max_concurrency=104)
        (warning,) = warnings(stack)
        assert "within the 70 connections that it has for applications (LEAST" in warning
        assert "got 104. Lower it" in warning

    def test_a_webhook_that_was_rejected_does_not_count(self, stack: Stack) -> None:
        sink = postgres(instance(stack, instance_type=MICRO), stack)["sink"]
        with pytest.raises(ValueError, match="at most 104, "):
            ScalableWebhook(stack, "A", sink=sink, max_concurrency=500)
        ScalableWebhook(stack, "B", sink=sink, max_concurrency=35)
        assert warnings(stack) == []

    def test_a_webhook_that_is_removed_does_not_count(self, stack: Stack) -> None:
        sink = postgres(instance(stack, parameters={"max_connections": "50"}), stack)["sink"]
        for id in "ABC":
            ScalableWebhook(stack, id, sink=sink, max_concurrency=21)
            assert warnings(stack) == []
            stack.node.try_remove_child(id)

    def test_without_a_connection_lower_is_no_remedy(self, stack: Stack) -> None:
        sink = postgres(instance(stack, parameters={"max_connections": "8"}), stack)["sink"]
        with pytest.raises(
            ValueError, match=r"must be at most 0, .*, got 2; raise max_connections in a parameter group"
        ):
            ScalableWebhook(stack, "A", sink=sink)

    def test_twice_as_many_warn_since_retired_environments_keep_their_connections(self, stack: Stack) -> None:
        ScalableWebhook(stack, "A", **postgres(instance(stack, instance_type=MICRO), stack), max_concurrency=36)
        (warning,) = warnings(stack)
        assert "got 36, and up to twice as many for some minutes after a deployment" in warning

    def test_all_webhooks_of_the_app_count_across_stacks(self, stack: Stack) -> None:
        made = instance(stack, instance_type=MICRO)
        root = stack.node.root
        for number in range(3):
            own = Stack(root, f"Own{number}")  # type: ignore[arg-type]
            ScalableWebhook(own, "Webhook", **postgres(made, own), max_concurrency=11)
            gc.collect()  # the numbers have to survive the Python objects
        assert warnings(stack) == []
        last = Stack(root, "Last")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="for all webhooks together") as error:
            ScalableWebhook(last, "Webhook", **postgres(made, last), max_concurrency=72)
        assert "got 72 with 11 of Own0/Webhook and 11 of Own1/Webhook and 11 of Own2/Webhook" in str(error.value)

    def test_webhooks_through_a_proxy_count_for_proxy_and_database(self, stack: Stack) -> None:
        behind = instance(stack, parameters={"max_connections": "50"})
        assert behind.secret
        proxies = [
            behind.add_proxy(f"Proxy{number}", secrets=[behind.secret], vpc=vpc_of(stack), max_connections_percent=60)
            for number in range(2)
        ]
        logins: dict[str, Any] = {"secret": behind.secret, "vpc": vpc_of(stack), "database_name": "d"}
        first, second = (Sink.postgres(each, **logins) for each in proxies)
        ScalableWebhook(stack, "A", sink=first, max_concurrency=20)
        with pytest.raises(
            ValueError,
            match=r"at most 30 for all webhooks together, .*/Proxy0 has.* or max_connections_percent of the proxy",
        ):
            ScalableWebhook(stack, "B", sink=first, max_concurrency=11)
        with pytest.raises(
            ValueError, match="at most 42 for all webhooks together, the connections that Stack/Instance has"
        ):
            ScalableWebhook(stack, "C", sink=second, max_concurrency=23)
        ScalableWebhook(stack, "D", sink=second, max_concurrency=22)
        assert warnings(stack) == []

    @pytest.mark.parametrize(("engine", "warns"), [(POSTGRES, False), (MYSQL, True)])
    def test_a_proxy_shares_the_connections_of_retired_environments_but_not_those_of_mysql(
        self, stack: Stack, engine: Any, warns: bool
    ) -> None:
        through = proxy(stack, engine, parameters={"max_connections": "50"})
        sink = Sink.mysql if engine is MYSQL else Sink.postgres
        login = secretsmanager.Secret(stack, "Login")
        made = sink(through, database_name="d", vpc=vpc_of(stack), secret=login)
        ScalableWebhook(stack, "A", sink=made, max_concurrency=30)
        assert bool(warnings(stack)) is warns
        assert "RDS Proxy" not in str(warnings(stack))

    @pytest.mark.parametrize(("engine", "helps"), [(POSTGRES, True), (MYSQL, False)])
    def test_a_proxy_is_named_only_where_it_helps(self, stack: Stack, engine: Any, helps: bool) -> None:
        made = instance(stack, engine, parameters={"max_connections": "50"})
        sink = (Sink.mysql if engine is MYSQL else Sink.postgres)(made, database_name="d")
        ScalableWebhook(stack, "A", sink=sink, max_concurrency=30)
        (warning,) = warnings(stack)
        assert ("put RDS Proxy in front of it" in warning) is helps

    def test_the_data_api_and_other_tables_have_no_connections(self, stack: Stack) -> None:
        made = cluster(stack, AURORA, enable_data_api=True, parameters={"max_connections": "10"})
        ScalableWebhook(stack, "A", sink=Sink.data_api(made, database_name="d"), max_concurrency=500)
        ScalableWebhook(stack, "B", max_concurrency=1000)
        assert warnings(stack) == []

    def test_a_concurrency_that_only_deployment_knows_is_not_checked(self, stack: Stack) -> None:
        number = CfnParameter(stack, "Number", type="Number").value_as_number
        sink = postgres(instance(stack, parameters={"max_connections": "10"}), stack)["sink"]
        ScalableWebhook(stack, "A", sink=sink, max_concurrency=number)  # type: ignore[arg-type]
        assert warnings(stack) == []

    def test_the_recommendation_neither_warns_nor_is_rejected(self, stack: Stack) -> None:
        made = instance(stack, instance_type=MICRO)
        recommended = Capacity.of(made).recommended_concurrency()
        assert recommended == 17
        ScalableWebhook(stack, "A", **postgres(made, stack), max_concurrency=recommended)
        assert warnings(stack) == []
