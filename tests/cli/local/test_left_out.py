from collections import Counter
from typing import Any

import pytest
from ministack.services.cloudformation import engine

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.assembly import resources_of
from scalable_webhook_cli.local.left_out import known_types, left_out, with_own_values

EIP, NAT = "AWS::EC2::EIP", "AWS::EC2::NatGateway"
KNOWN = {"AWS::SQS::Queue", "AWS::Lambda::Function", "AWS::Lambda::EventSourceMapping", "AWS::EC2::Route"}


def template(**resources: dict[str, Any]) -> dict[str, Any]:
    return {"Resources": resources}


def test_the_emulator_names_its_types_and_takes_the_rest_of_a_template() -> None:
    known = known_types()
    assert known is not None
    assert {"AWS::SQS::Queue", "AWS::Lambda::Function"} <= known
    whole = template(Queue={"Type": "AWS::SQS::Queue"}, Nowhere={"Type": "AWS::Nowhere::Thing"})
    with pytest.raises(ValueError, match="AWS::Nowhere::Thing"):
        engine.validate_template_support(whole, {})
    rest, gone = left_out(whole, known)
    engine.validate_template_support(dict(rest), {})
    assert gone == {"AWS::Nowhere::Thing": 1}


def test_without_its_table_only_unneeded_types_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    def gone(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("importlib.import_module", gone)
    assert known_types() is None
    types = ["AWS::WAFv2::WebACLAssociation", "Custom::VpcRestrictDefaultSG"]
    acl, group, address = ({"Type": type} for type in [*types, EIP])
    rest = left_out(template(Acl=acl, Group=group, Address=address), None)
    assert rest == (template(Address=address), dict.fromkeys(types, 1))


def test_supported_types_stay_as_they_are() -> None:
    whole = template(Queue={"Type": "AWS::SQS::Queue"}, Own={"Type": "Custom::Thing"}) | {"Outputs": {"A": {}}}
    assert left_out(whole, KNOWN) == (whole, Counter())


STANDS_FOR_EIP, STANDS_FOR_NAT = "left-out-AWS-EC2-EIP-Eip", "left-out-AWS-EC2-NatGateway-Nat"


@pytest.mark.parametrize(
    ("value", "left"),
    [
        ({"Ref": "Nat"}, STANDS_FOR_NAT),
        ({"Fn::GetAtt": ["Eip", "AllocationId"]}, STANDS_FOR_EIP),
        ({"Fn::GetAtt": "Eip.AllocationId"}, STANDS_FOR_EIP),
        ({"Fn::GetAtt": ["Eip", "Thing.Arn"]}, f"arn:aws:ec2:::{STANDS_FOR_EIP}"),
        ({"Fn::GetAtt": ["Eip", "Endpoint.Port"]}, "0"),
        (
            {"Fn::Sub": "${Nat} ${Eip.PublicIp} ${Queue} ${!Nat}"},
            f"{STANDS_FOR_NAT} {STANDS_FOR_EIP} ${{Queue}} ${{!Nat}}",
        ),
        (
            {"Fn::Sub": ["${Nat} ${Own}", {"Own": {"Ref": "Eip"}}]},
            [f"{STANDS_FOR_NAT} ${{Own}}", {"Own": STANDS_FOR_EIP}],
        ),
        ({"Fn::Sub": ["${Nat}", {"Nat": "mine"}]}, ["${Nat}", {"Nat": "mine"}]),
        ({"Fn::Select": [1, {"Fn::GetAtt": ["Eip", "Names"]}]}, STANDS_FOR_EIP),
        ({"Fn::Join": [",", {"Fn::GetAtt": ["Eip", "Names"]}]}, STANDS_FOR_EIP),
        ({"Fn::Join": ["", ["a", {"Ref": "Nat"}]]}, {"Fn::Join": ["", ["a", STANDS_FOR_NAT]]}),
        ({"Fn::If": ["C", {"Ref": "Nat"}, {"Ref": "Queue"}]}, {"Fn::If": ["C", STANDS_FOR_NAT, {"Ref": "Queue"}]}),
    ],
)
def test_a_text_replaces_a_reference_to_a_missing_resource(value: Any, left: Any) -> None:
    whole = template(
        Eip={"Type": EIP},
        Nat={"Type": NAT, "Properties": {"AllocationId": {"Ref": "Eip"}}},
        Route={"Type": "AWS::EC2::Route", "Properties": {"To": value}, "Metadata": {"To": value}},
    ) | {"Outputs": {"Out": {"Value": value, "Condition": "C"}}}
    rest, gone = left_out(whole, KNOWN)
    expected = {"Fn::Sub": left} if "Fn::Sub" in value else left
    assert rest["Resources"] == {
        "Route": {"Type": "AWS::EC2::Route", "Properties": {"To": expected}, "Metadata": {"To": expected}}
    }
    assert rest["Outputs"] == {"Out": {"Value": expected, "Condition": "C"}}
    assert gone == {EIP: 1, NAT: 1}


@pytest.mark.parametrize(
    ("waits_for", "left"),
    [("Nat", {}), (["Nat", "Queue"], {"DependsOn": ["Queue"]}), ("Queue", {"DependsOn": "Queue"})],
)
def test_nothing_depends_on_a_missing_resource(waits_for: Any, left: dict[str, Any]) -> None:
    queue, route = {"Type": "AWS::SQS::Queue"}, {"Type": "AWS::EC2::Route"}
    rest, _ = left_out(template(Nat={"Type": NAT}, Queue=queue, Route=route | {"DependsOn": waits_for}), KNOWN)
    assert rest == template(Queue=queue, Route=route | left)


@pytest.mark.parametrize(
    "type",
    ["AWS::SQS::QueuePolicy", "AWS::CloudFormation::Macro", "Datadog::Monitors::Monitor", "My::Own::Vpc::MODULE"],
)
def test_a_needed_resource_is_not_left_out_silently(type: str) -> None:
    with pytest.raises(CliError, match=rf"^It is of type {type}, which the local AWS does not have"):
        left_out(template(It={"Type": type}), KNOWN)


@pytest.mark.parametrize(
    "type", ["AWS::Lambda::EventSourceMapping", "Custom::Provisioned", "AWS::CloudFormation::CustomResource"]
)
@pytest.mark.parametrize("value", [{"Ref": "Nat"}, {"Fn::GetAtt": ["Nat", "Arn"]}, {"Fn::Sub": "a/${Nat.Arn}"}])
def test_a_resource_that_uses_the_value_of_a_missing_one_is_rejected(type: str, value: Any) -> None:
    acting = {"Type": type, "Properties": {"Of": [value]}}
    with pytest.raises(
        CliError, match=r"^Acts \(.*\) needs Nat \(AWS::EC2::NatGateway\), which the local AWS does not"
    ):
        left_out(template(Nat={"Type": NAT}, Acts=acting), {*KNOWN, "AWS::CloudFormation::CustomResource"})


def test_resources_of_a_transform_stay(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name == "samtranslator")
    whole = {"Transform": "AWS::Serverless-2016-10-31"} | template(Api={"Type": "AWS::Serverless::Api"})
    looped = {"Fn::ForEach::Queues": ["Name", ["A"], {"${Name}": {"Type": "AWS::SQS::Queue"}}]}
    assert left_out(whole | looped, KNOWN) == (whole | looped, Counter())


@pytest.mark.parametrize(
    ("value", "known"),
    [
        ({"Fn::GetAtt": ["Vpc", "CidrBlock"]}, "10.0.0.0/16"),
        ({"Fn::Join": ["", [{"Fn::GetAtt": "Vpc.CidrBlock"}]]}, {"Fn::Join": ["", ["10.0.0.0/16"]]}),
        ({"Fn::GetAtt": ["Peer", "CidrBlock"]}, "10.0.0.0/16"),
        ({"Fn::GetAtt": ["Vpc", "VpcId"]}, {"Fn::GetAtt": ["Vpc", "VpcId"]}),
        ({"Fn::GetAtt": ["Queue", "QueueName"]}, {"Fn::GetAtt": ["Queue", "QueueName"]}),
        ({"Fn::GetAtt": ["Elsewhere", "CidrBlock"]}, {"Fn::GetAtt": ["Elsewhere", "CidrBlock"]}),
    ],
)
def test_an_attribute_has_the_value_of_the_property_of_its_name(value: Any, known: Any) -> None:
    others = {
        "Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}},
        "Queue": {"Type": "AWS::SQS::Queue", "Properties": {"QueueName": "orders"}},
    }
    peer = {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": {"Fn::GetAtt": ["Vpc", "CidrBlock"]}}}
    whole = {"Resources": others | {"Peer": peer}, "Outputs": {"Out": {"Value": value}}}
    assert with_own_values(whole)["Outputs"] == {"Out": {"Value": known}}


@pytest.mark.parametrize("type", ["Custom::Thing", "AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Stack"])
def test_the_attributes_of_a_custom_resource_are_not_its_properties(type: str) -> None:
    it = {"Type": type, "Properties": {"Endpoint": "asked"}}
    whole = {"Resources": {"It": it}, "Outputs": {"Out": {"Value": {"Fn::GetAtt": ["It", "Endpoint"]}}}}
    assert with_own_values(whole) == whole


def test_a_vpc_has_ipv6_addresses_for_its_subnets() -> None:
    blocks = {"Fn::Select": [0, {"Fn::GetAtt": ["Vpc", "Ipv6CidrBlocks"]}]}
    ranges = {"Fn::Cidr": [blocks, 4, "64"]}
    whole = {"Resources": {"Vpc": {"Type": "AWS::EC2::VPC"}, "Subnet": {"Type": "S", "Properties": {"Block": ranges}}}}
    (subnet,) = (it for it in resources_of(with_own_values(whole)).values() if it["Type"] == "S")
    made = engine._resolve_refs(subnet["Properties"]["Block"], {}, {}, {}, {}, "stack", "id")
    assert made == [f"2001:db8:0:{number}::/64" if number else "2001:db8::/64" for number in range(4)]


def test_a_transform_without_its_package_is_rejected_with_our_message(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    whole = {"Transform": ["AWS::Serverless-2016-10-31"]} | template(Api={"Type": "AWS::Serverless::Api"})
    with pytest.raises(CliError, match=r"need aws-sam-translator .*; pip install aws-sam-translator, or"):
        left_out(whole, KNOWN)


@pytest.mark.parametrize(
    ("transform", "left"),
    [
        ("AWS::Serverless-2016-10-31", {}),
        (["AWS::Serverless-2016-10-31"], {}),
        (
            ["AWS::LanguageExtensions", "AWS::Serverless-2016-10-31"],
            {"Transform": ["AWS::LanguageExtensions"]},
        ),
        ("AWS::LanguageExtensions", {"Transform": "AWS::LanguageExtensions"}),
    ],
)
def test_a_serverless_application_is_left_out_with_its_transform(transform: Any, left: Any) -> None:
    rotated = {"Fn::GetAtt": ["Rotation", "Outputs.RotationLambdaARN"]}
    schedule = {"Type": "AWS::SecretsManager::RotationSchedule", "Properties": {"RotationLambdaARN": rotated}}
    rotation, queue = {"Type": "AWS::Serverless::Application"}, {"Type": "AWS::SQS::Queue"}
    whole = {"Transform": transform} | template(Rotation=rotation, Schedule=schedule, Queue=queue)
    rest, gone = left_out(whole, KNOWN)
    assert rest == template(Queue=queue) | left
    assert gone == {"AWS::Serverless::Application": 1, "AWS::SecretsManager::RotationSchedule": 1}


def provided(type: str, **properties: Any) -> dict[str, Any]:
    return {"Type": type, "Properties": {"ServiceToken": {"Fn::GetAtt": ["Provider", "Arn"]}, **properties}}


PROVIDER = {"Type": "AWS::Lambda::Function", "Properties": {"Runtime": "nodejs24.x", "Code": {"S3Key": "a.zip"}}}


@pytest.mark.parametrize("type", ["Custom::S3AutoDeleteObjects", "Custom::ECRAutoDeleteImages", "Custom::LogRetention"])
def test_an_unneeded_custom_resource_is_left_out_with_its_provider(type: str) -> None:
    queue = {"Type": "AWS::SQS::Queue"}
    whole = template(Clean=provided(type), Again=provided(type), Provider=PROVIDER, Queue=queue)
    rest, gone = left_out(whole, KNOWN, {"a.zip"})
    assert rest == template(Queue=queue)
    assert gone == {type: 2, "AWS::Lambda::Function": 1}


def test_a_provider_that_something_else_uses_stays() -> None:
    own = provided("Custom::Own")
    rest, gone = left_out(template(Clean=provided("Custom::LogRetention"), Own=own, Provider=PROVIDER), KNOWN)
    assert rest == template(Own=own, Provider=PROVIDER)
    assert gone == {"Custom::LogRetention": 1}


def test_the_log_group_of_a_retention_keeps_its_name() -> None:
    out = {"Outputs": {"Name": {"Value": {"Fn::GetAtt": ["Kept", "LogGroupName"]}}}}
    whole = template(Kept=provided("Custom::LogRetention", LogGroupName="/aws/lambda/f"), Provider=PROVIDER) | out
    rest, _ = left_out(with_own_values(whole), KNOWN)
    assert rest == {"Resources": {}, "Outputs": {"Name": {"Value": "/aws/lambda/f"}}}


@pytest.mark.parametrize(
    ("type", "keys"),
    [("Custom::AWS", set()), ("Custom::CDKBucketDeployment", set()), ("Custom::CrossRegionExportWriter", {"a.zip"})],
)
def test_a_provider_that_needs_the_sdk_of_lambda_is_rejected(type: str, keys: set[str]) -> None:
    with pytest.raises(CliError, match=rf"^It \({type}\) has a provider that needs .* SDK .*; deploy a stack without"):
        left_out(template(It=provided(type), Provider=PROVIDER), KNOWN, keys)


@pytest.mark.parametrize("code", [{"Code": {"S3Key": "b.zip"}}, {"Code": {"S3Key": "a.zip"}, "Layers": ["sdk"]}])
def test_a_provider_that_bundles_its_sdk_stays(code: dict[str, Any]) -> None:
    whole = template(It=provided("Custom::Own"), Provider=PROVIDER | {"Properties": code})
    assert left_out(whole, KNOWN, {"a.zip"}) == (whole, Counter())


def test_groups_of_users_are_left_out_with_everything_for_them() -> None:
    group = {"Ref": "Group"}
    statements: dict[str, Any] = {"PolicyDocument": {"Statement": []}}
    users = {"Users": ["bob"]} | statements
    whole = template(
        Group={"Type": "AWS::IAM::Group"},
        Added={"Type": "AWS::IAM::UserToGroupAddition", "Properties": {"GroupName": group, "Users": ["bob"]}},
        User={"Type": "AWS::IAM::User", "Properties": {"Groups": [group, "given"], "UserName": "ann"}},
        Of={"Type": "AWS::IAM::Policy", "Properties": {"Groups": [group]} | statements},
        Both={"Type": "AWS::IAM::Policy", "Properties": {"Groups": [group]} | users, "DependsOn": "Of"},
        Managed={"Type": "AWS::IAM::ManagedPolicy", "Properties": {"Groups": [group]} | statements},
    )
    known = {*KNOWN, "AWS::IAM::User", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
    rest, gone = left_out(whole, known)
    assert rest == template(
        User={"Type": "AWS::IAM::User", "Properties": {"UserName": "ann"}},
        Both={"Type": "AWS::IAM::Policy", "Properties": users},
        Managed={"Type": "AWS::IAM::ManagedPolicy", "Properties": statements},
    )
    assert gone == {"AWS::IAM::Group": 1, "AWS::IAM::UserToGroupAddition": 1, "AWS::IAM::Policy": 1}
    assert left_out(whole, {*known, "AWS::IAM::Group", "AWS::IAM::UserToGroupAddition"}) == (whole, Counter())


@pytest.mark.parametrize(
    "resource",
    [{"Type": {"Ref": "Type"}, "Properties": {"Groups": []}}, {"Type": "AWS::SQS::Queue", "DependsOn": {"Ref": "Eip"}}],
)
def test_values_of_an_unexpected_type_stay(resource: dict[str, Any]) -> None:
    assert left_out(template(It=resource, Eip={"Type": EIP}), KNOWN)[1] == {EIP: 1}
