"""The forms and policies that the code host shows to a contributor."""

from collections.abc import Sequence
from typing import Any

from projen import TextFile, YamlFile
from projen.github import PullRequestTemplate
from projen.python import PythonProject

from projenrc.package import NAME

SECURITY = f"""\
# Security

## Reporting

Please do not open an issue. Use *Report a vulnerability* on the repository's Security page: only the maintainers see
it. Include the version of {NAME} and of aws-cdk-lib, the possible attack, and the shortest app or request
that shows it. We confirm it or explain why it is none, and fix it. The changelog credits you, unless you prefer to stay
anonymous.

## Threat model

[docs/security.md](docs/security.md) lists the trusted parts, the reaction of each part to an attack, and the attacks
that the tests try.

## Scope

These are vulnerabilities:

- A webhook that is accepted, stored or answered although its `source` does not verify it.
- A permission that a function does not need, or that reaches a resource that is not the webhook's.
- A payload, a query, a header's value or a secret in a log line, an error or an environment variable.
- A request that makes the mapping template, the SQL or the log say something else than the request.
- A webhook lost after it was answered 202.
- A local AWS that listens to another interface than loopback, or reaches a real account.
- A local AWS that does more for a page of a browser, or for another user of the machine, than take webhooks.
  docs/local-aws.md describes its key.

An endpoint without a `source` is none: anyone may send, and synthesis warns of it.

## Supported versions

The newest minor version gets fixes. Before 1.0.0 that is the newest release. See docs/versioning.md.
""".splitlines()

PULL_REQUEST = """\
## The improvement, and its users

## How you tested it

<!-- The command and its output. CI runs `make check` and `make test-all` first. -->

- [ ] CHANGELOG.md has the change for users, under *Unreleased*
- [ ] it names a changed template under *Templates* (a test requires it)
- [ ] the docstring of a new argument has its effect, unit, range and default, and its errors
""".splitlines()


def community(project: PythonProject) -> None:
    """Write forms, template and policy."""
    assert project.github
    TextFile(project, "SECURITY.md", lines=SECURITY, marker=False)
    PullRequestTemplate(project.github, lines=PULL_REQUEST)
    # An issue without a form stays possible.
    _form(project, "config", {"blank_issues_enabled": True})
    _form(
        project,
        "bug",
        {
            "name": "Something does not work",
            "description": "At synthesis, at deployment, or with a webhook that was handled wrongly",
            "labels": ["bug"],
            "body": [
                _note("No payloads, secrets or account ids, please. A vulnerability belongs on the Security page."),
                _text("app", "The shortest app that shows it", render="python"),
                _text(
                    "happened",
                    "The result, and the result that you expected",
                    "The whole error, or all log lines of one request.",
                ),
                _text(
                    "versions",
                    "Versions",
                    "`python --version`; from `python -m pip list` aws-cdk-lib, constructs, jsii and this.",
                ),
                _choice("where", "Where", ["cdk synth", "real AWS", "the local AWS", "tests of my own"]),
                _text(
                    "local",
                    "Does the local AWS show it too?",
                    "The steps after `scalable-webhook local deploy .`",
                    required=False,
                ),
            ],
        },
    )
    _form(
        project,
        "idea",
        {
            "name": "Something is missing",
            "description": "A provider, a sink, an argument, a page of the documentation",
            "labels": ["enhancement"],
            "body": [
                _text("situation", "Your use case", "The provider, the number of webhooks, and their destination."),
                _text("without", "How you do it without", required=False),
                _text("document", "The provider's or AWS's documentation of it", required=False),
            ],
        },
    )


def _form(project: PythonProject, name: str, form: dict[str, Any]) -> None:
    YamlFile(project, f".github/ISSUE_TEMPLATE/{name}.yml", obj=form)


def _note(text: str) -> dict[str, Any]:
    return {"type": "markdown", "attributes": {"value": text}}


def _text(id: str, label: str, description: str = "", *, render: str = "", required: bool = True) -> dict[str, Any]:
    attributes = {"label": label, "description": description, "render": render}
    given = {name: value for name, value in attributes.items() if value}
    return {"type": "textarea", "id": id, "attributes": given, "validations": {"required": required}}


def _choice(id: str, label: str, options: Sequence[str]) -> dict[str, Any]:
    chosen = {"label": label, "options": list(options)}
    return {"type": "dropdown", "id": id, "attributes": chosen, "validations": {"required": True}}
