"""The signing secret of a deployed endpoint, in Secrets Manager."""

import json
from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from botocore.exceptions import ClientError

from scalable_webhook_cli.errors import CliError
from scalable_webhook_cli.target import Target
from webhook_runtime.contract.keys import secret_text, secret_value
from webhook_runtime.contract.schemes import Scheme
from webhook_runtime.contract.signing import new_secret


def value_of(target: Target, secret: Mapping[str, str]) -> str:
    """Return the value of a secret, which ``arn`` and perhaps ``field`` name.

    Raises:
        CliError: It is missing, or may not be read.
    """
    arn, field = secret["arn"], secret.get("field")
    try:
        answer = target.client("secretsmanager").get_secret_value(SecretId=arn)
    except ClientError as error:
        raise _explained(error, arn) from None
    try:
        value = secret_value(answer, field)
    except (KeyError, TypeError, ValueError, RecursionError):  # without its text, which may quote the secret
        said = f"is no JSON object with a text as its {field!r}" if field else "is no text"
        raise CliError(f"the secret {_name(arn)} {said}; store another value, as its source expects") from None
    if not value:
        raise CliError(f"the secret {_name(arn)} is empty; store the one that the provider shows")
    return value


def provide_if_missing(target: Target, source: Mapping[str, Any], scheme: Scheme) -> str | None:
    """Store a value for tests if the local AWS has none of the secret of a source. Return the secret's name if it did.

    In an account nothing is stored: there the value has to be the provider's.
    """
    if target.endpoint is None:
        return None
    manager, arn = target.client("secretsmanager"), source["secret"]["arn"]
    with suppress(manager.exceptions.ResourceNotFoundException):
        if secret_text(manager.get_secret_value(SecretId=arn)):
            return None
    value = _test_value(source, scheme)
    try:
        manager.put_secret_value(SecretId=arn, SecretString=value)
    except manager.exceptions.ResourceNotFoundException:
        manager.create_secret(Name=_name(arn), SecretString=value)
    return _name(arn)


def _test_value(source: Mapping[str, Any], scheme: Scheme) -> str:
    """Return a value that suits a source: a text, or JSON with each key that it reads."""
    fields = [each["field"] for each in (source["secret"], source.get("token", {})) if "field" in each]
    if not fields:
        return new_secret(scheme)
    return json.dumps({field: new_secret(scheme) for field in fields})


def _explained(error: ClientError, arn: str) -> CliError:
    name, told = _name(arn), error.response["Error"]
    match told["Code"]:
        case "ResourceNotFoundException":
            return CliError(
                f"the secret {name} does not exist, or has no value; store the one that the provider shows: "
                f"aws secretsmanager create-secret --name {name} --secret-string …"
            )
        case "InvalidRequestException":
            return CliError(f"the secret {name} cannot be read, since it was deleted; restore it, or deploy another")
        case "AccessDeniedException":
            return CliError(
                f"the secret {name} cannot be read: allow secretsmanager:GetSecretValue on {arn}, and kms:Decrypt "
                f"if it has a key of its own ({told.get('Message', 'AWS told no reason')})"
            )
        case "DecryptionFailure":
            return CliError(f"the secret {name} cannot be decrypted: allow kms:Decrypt on its key")
    return CliError(f"the secret {name} cannot be read: {error}")


def _name(arn: str) -> str:
    """Return the name of a secret, with the six characters that AWS adds if the ARN has them."""
    return arn.split(":", 6)[-1]
