"""Leave out of a template what the local AWS does not have, so that the rest can be tried.

The emulator rejects a whole template for one resource of an unknown type. References to a resource that is left out
become a text that names it.
"""

import importlib
import importlib.util
import json
import logging
import re
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.local.assembly import Template, resources_of

# Types that the emulator fails at, or that have no effect here. There is no WAF in front of a local API, and no traffic
# in a local VPC. Every app of `cdk init` empties the default security group of its VPC. Buckets, repositories and logs
# go with the local AWS. An application of the Serverless repository would be downloaded from AWS.
_OF_NO_USE = {
    *("AWS::WAFv2::WebACLAssociation", "AWS::Serverless::Application", "Custom::VpcRestrictDefaultSG"),
    *("Custom::S3AutoDeleteObjects", "Custom::ECRAutoDeleteImages", "Custom::LogRetention"),
}
# Custom resources of the CDK whose providers run only on Lambda.
_OF_A_PROVIDER = {"Custom::AWS", "Custom::CDKBucketDeployment"}
_SERVERLESS = "AWS::Serverless-2016-10-31"
_GROUP = "AWS::IAM::Group"
# Types that may refer to groups of users.
_FOR_GROUPS = {"AWS::IAM::User", "AWS::IAM::Policy", "AWS::IAM::ManagedPolicy"}
# The parts of a webhook, which cannot be left out.
_OF_A_WEBHOOK = {
    *(f"AWS::ApiGateway::{name}" for name in ("RestApi", "Resource", "Method", "Deployment", "Stage")),
    *(f"AWS::Lambda::{name}" for name in ("Function", "LayerVersion", "Permission", "EventSourceMapping", "Url")),
    *("AWS::SQS::Queue", "AWS::SQS::QueuePolicy", "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::Logs::LogGroup"),
    *("AWS::DynamoDB::Table", "AWS::DynamoDB::GlobalTable", "AWS::S3::Bucket", "AWS::SecretsManager::Secret"),
}
# The IPv6 range for documentation: https://datatracker.ietf.org/doc/html/rfc3849
_IPV6 = "2001:db8::/56"
# Types that use the resources they refer to as soon as they are created. Others only store the reference.
_ACTING = ("AWS::Lambda::EventSourceMapping", "AWS::CloudFormation::CustomResource", "Custom::")
_IN_A_TEXT = re.compile(r"\$\{(?P<id>[A-Za-z0-9]+)(?:\.(?P<attribute>[A-Za-z0-9.]+))?\}")


def known_types() -> frozenset[str] | None:
    """Return the types that the emulator creates, by its own table, or None if it has no such table."""
    # It logs missing packages that are not needed here.
    logging.disable()
    try:
        provisioners = importlib.import_module("ministack.services.cloudformation.provisioners")
        return frozenset(provisioners._RESOURCE_HANDLERS)
    except (ImportError, AttributeError, TypeError):
        return None
    finally:
        logging.disable(logging.NOTSET)


def left_out(
    template: Template, known: Collection[str] | None, wanting_sdk: Collection[str] = ()
) -> tuple[Template, Counter[str]]:
    """Return the template without unsupported resources, and their count by type.

    ``wanting_sdk`` has the S3 keys of code that cannot run here, since it imports the AWS SDK for JavaScript.

    Raises:
        CliError: A resource cannot be left out: it is a part of a webhook, not a type of AWS, or another one needs it.
    """
    resources = resources_of(template)
    gone = {id: it["Type"] for id, it in resources.items() if _is_missing(it["Type"], known)}
    for id, type in gone.items():
        own = type not in _OF_NO_USE and (not type.startswith("AWS::") or type.startswith("AWS::CloudFormation::"))
        if own or type in _OF_A_WEBHOOK:
            raise CliError(f"{id} is of type {type}, which the local AWS does not have; deploy a stack without it")
    gone |= _providers(gone, template)
    if known is not None and _GROUP not in known:
        template = template | {"Resources": {id: _groupless(it) for id, it in template["Resources"].items()}}
        gone |= {id: "AWS::IAM::Policy" for id, it in resources.items() if _is_for_groups_alone(it)}
    for id, resource in resources.items():
        if id in gone:
            continue
        if resource["Type"] in _OF_A_PROVIDER or _key(resources.get(_provider(resource))) in wanting_sdk:
            raise CliError(
                f"{id} ({resource['Type']}) has a provider that needs the AWS SDK for JavaScript or the AWS CLI, which "
                "the local AWS does not have; deploy a stack without it"
            )
        needed = sorted(_referred_to(resource.get("Properties", {}), gone))
        if resource["Type"].startswith(_ACTING) and needed:
            raise CliError(
                f"{id} ({resource['Type']}) needs {needed[0]} ({gone[needed[0]]}), which the local AWS does not have; "
                "deploy a stack without the two"
            )
    edited = {name: _filled(section, gone) for name, section in template.items()}
    edited["Resources"] = {
        id: _independent(resource, gone) for id, resource in edited["Resources"].items() if id not in gone
    }
    return _untransformed(edited), Counter(gone.values())


def with_own_values(template: Template) -> Template:
    """Return the template with each attribute replaced by the property of the same name, such as a VPC's address range.

    The emulator has only the properties of many types. It has the attributes of a webhook's parts. The attributes of a
    custom resource or a stack are not its properties.
    """
    resources = resources_of(template)
    own = {id: _own_values(it) for id, it in resources.items() if it["Type"] not in _OF_A_WEBHOOK}

    def replaced(value: Any) -> Any:
        match value:
            case {"Fn::GetAtt": target, **rest} if not rest:
                id, attribute = _attribute(target)
                return replaced(own[id][attribute]) if attribute in own.get(id, {}) else value
            case dict():
                return {name: replaced(each) for name, each in value.items()}
            case list():
                return [replaced(each) for each in value]
        return value

    return {name: replaced(section) for name, section in template.items()}


def _own_values(resource: Mapping[str, Any]) -> dict[str, Any]:
    """Return the attributes of a resource that its template has."""
    type, properties = resource["Type"], resource.get("Properties")
    own = dict(properties) if isinstance(properties, dict) else {}
    if type == "AWS::EC2::VPC":
        return own | {"Ipv6CidrBlocks": [_IPV6]}
    if type == "Custom::LogRetention":  # its response is the name that it was given
        return {name: own[name] for name in ("LogGroupName",) if name in own}
    return {} if type.startswith(("Custom::", "AWS::CloudFormation::")) else own


def _is_missing(type: str, known: Collection[str] | None) -> bool:
    if type in _OF_NO_USE:
        return True
    # A transform replaces the Serverless ones before the emulator checks the types.
    return known is not None and type not in known and not type.startswith(("Custom::", "AWS::Serverless::"))


def _provider(resource: Mapping[str, Any] | None) -> str:
    """Return the id of the function behind a custom resource, if it is in this template."""
    match resource:
        case {"Properties": {"ServiceToken": {"Fn::GetAtt": target}}}:
            return _attribute(target)[0]
    return ""


def _key(function: Mapping[str, Any] | None) -> str:
    """Return the S3 key of a function's code, if it has no layers."""
    match function:
        case {"Properties": {"Layers": _}}:
            return ""
        case {"Properties": {"Code": {"S3Key": str(key)}}}:
            return key
    return ""


def _providers(gone: Mapping[str, str], template: Template) -> dict[str, str]:
    """Return the functions that only resources which are left out need."""
    resources = resources_of(template)
    found = {_provider(resources[id]) for id in gone} & resources.keys()
    functions = {id: resources[id]["Type"] for id in found if resources[id]["Type"] == "AWS::Lambda::Function"}
    rest = {id: it for id, it in template["Resources"].items() if id not in gone}
    used = set(_referred_to([rest, template.get("Outputs")], functions))
    return {id: type for id, type in functions.items() if id not in used}


def _groupless(resource: Any) -> Any:
    """Return a resource without its groups of users, which do not exist here."""
    match resource:
        case {"Type": str(type), "Properties": {"Groups": _, **rest}} if type in _FOR_GROUPS:
            return resource | {"Properties": rest}
    return resource


def _is_for_groups_alone(resource: Mapping[str, Any]) -> bool:
    match resource:
        case {"Type": "AWS::IAM::Policy", "Properties": {"Groups": _, **rest}}:
            return not rest.get("Users") and not rest.get("Roles")
    return False


def _untransformed(template: Template) -> Template:
    """Return the template without the Serverless transform, if there is nothing to transform.

    Raises:
        CliError: There is, and the package for it is not installed.
    """
    declared = template.get("Transform")
    several = declared if isinstance(declared, list) else [declared]
    if _SERVERLESS not in several:
        return template
    if '"AWS::Serverless::' in json.dumps(template["Resources"]):
        if importlib.util.find_spec("samtranslator"):
            return template
        raise CliError(
            "resources of AWS::Serverless need aws-sam-translator in the local AWS, which is not installed; "
            "pip install aws-sam-translator, or deploy a stack without them"
        )
    left = [each for each in several if each != _SERVERLESS]
    rest = {name: section for name, section in template.items() if name != "Transform"}
    return rest | {"Transform": left} if left else rest


def _independent(resource: Any, gone: Mapping[str, str]) -> Any:
    """Return a resource that depends on nothing that is left out."""
    if not isinstance(resource, dict) or "DependsOn" not in resource:
        return resource
    waits_for = resource["DependsOn"] if isinstance(resource["DependsOn"], list) else [resource["DependsOn"]]
    left = [id for id in waits_for if str(id) not in gone]
    if left == waits_for:
        return resource
    rest = {name: value for name, value in resource.items() if name != "DependsOn"}
    return rest | {"DependsOn": left} if left else rest


def _filled(value: Any, gone: Mapping[str, str]) -> Any:
    """Return a value in which texts replace references to resources that are left out."""
    match value:
        case {"Ref": str(id), **rest} if not rest and id in gone:
            return _stand_in(gone[id], id)
        case {"Fn::GetAtt": target, **rest} if not rest and _attribute(target)[0] in gone:
            id, attribute = _attribute(target)
            return _stand_in(gone[id], id, attribute)
        case {"Fn::Sub": text, **rest} if not rest:
            return {"Fn::Sub": _substituted(text, gone)}
        # One text replaces a whole attribute that is a list.
        case {"Fn::Select": [_, {"Fn::GetAtt": target} as one], **rest} if not rest and _attribute(target)[0] in gone:
            return _filled(one, gone)
        case {"Fn::Join": [_, {"Fn::GetAtt": target} as one], **rest} if not rest and _attribute(target)[0] in gone:
            return _filled(one, gone)
        case dict():
            return {name: _filled(each, gone) for name, each in value.items()}
        case list():
            return [_filled(each, gone) for each in value]
    return value


def _substituted(text: Any, gone: Mapping[str, str]) -> Any:
    """Return the argument of Fn::Sub, whose own variables are not resources."""
    match text:
        case [body, dict(own)]:
            return [_substituted(body, {id: type for id, type in gone.items() if id not in own}), _filled(own, gone)]
        case str():
            return _IN_A_TEXT.sub(lambda found: _filled_in(found, gone), text)
    return text


def _filled_in(found: re.Match[str], gone: Mapping[str, str]) -> str:
    id = found["id"]
    return _stand_in(gone[id], id, found["attribute"] or "") if id in gone else found[0]


def _stand_in(type: str, id: str, attribute: str = "") -> str:
    """Return a text that names a resource, in the form that is required for its attribute."""
    if attribute.endswith("Port"):
        return "0"
    text = f"left-out-{type.replace('::', '-')}-{id}"
    return f"arn:aws:{type.split('::')[1].lower()}:::{text}" if attribute.lower().endswith("arn") else text


def _attribute(target: Any) -> tuple[str, str]:
    id, _, attribute = ".".join(map(str, target) if isinstance(target, list) else [str(target)]).partition(".")
    return id, attribute


def _referred_to(value: Any, gone: Mapping[str, str]) -> Iterator[str]:
    """Yield the ids of resources that are left out and referred to in a value."""
    match value:
        case {"Ref": str(id)}:
            yield from {id} & gone.keys()
        case {"Fn::GetAtt": target}:
            yield from {_attribute(target)[0]} & gone.keys()
        case {"Fn::Sub": text}:
            yield from (found["id"] for found in _IN_A_TEXT.finditer(str(text)) if found["id"] in gone)
        case dict():
            for each in value.values():
                yield from _referred_to(each, gone)
        case list():
            for each in value:
                yield from _referred_to(each, gone)
