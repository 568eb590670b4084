"""What `make check` and `make test` hold the code to: the settings of each tool."""

from pathlib import Path

from projen.python import PythonProject

from projenrc.package import MODULE, PYTHONS

RUFF = {
    "line-length": 120,
    "target-version": f"py{PYTHONS[0].replace('.', '')}",
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
            "tests/synth/test_remedies.py": ["E501"],
            "tests/typing/wrong.py": ["E501", "B018"],
            "examples/**": ["D"],
            "faults/**": ["D"],
            "benchmarks/peers/**": ["D"],  # written as their own documentation has it
            "tools/**": ["D"],
            "tools/provider_vectors/**": ["S"],  # its secrets are of no worth
            "src/webhook_runtime/**": ["D"],  # not public: the module's docstring says what it is for
            f"src/{MODULE}/local/**": ["D102", "D103", "D101", "D104"],
        },
    },
}

MYPY = {
    "strict": True,
    "python_version": PYTHONS[0],
    "mypy_path": "src:tests:tests/sinks:examples:benchmarks:faults:tools:tools/publish",
    "explicit_package_bases": True,
    "exclude": [
        r"tests/typing/wrong\.py$",  # test_typing.py says what it has to find there
        r"^tests/conftest\.py$",  # to mypy of the same name as that of tests/sinks
    ],
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
                "yaml",
            ],
            "ignore_missing_imports": True,
        },
    ],
}

PYTEST = {
    "testpaths": ["tests"],
    "addopts": "-ra --strict-markers --import-mode=importlib",
    "pythonpath": ["tests", "tests/sinks", "examples", "benchmarks", "faults", "tools", "tools/publish"],
    "filterwarnings": ["ignore::DeprecationWarning"],
    "markers": [
        "processes: needs processes or threads, which WebAssembly has not: see tests/lambda_python",
        "slow(seconds): takes more than 5 seconds by itself, about so many; `make test` leaves it out",
        "smoke: `make test` runs it although it is slow: what it touches, nothing else of `make test` does",
    ],
}

LOCAL_ONLY = [f"{MODULE}.cli", f"{MODULE}.local"]
# The rooms of synth time, in the order in which a webhook passes them; modules of one line know nothing of each other.
ROOMS = [
    "webhook",
    "endpoint | route",
    "endpoints",
    "filters | payloads",
    "sources",
    "packaging",
    "acknowledgement | grants | monitoring | stack",
    "common | findings",
    "checks",
]
SYNTH_TIME = [f"{MODULE}.{room}" for rooms in ROOMS for room in rooms.split(" | ")]
# All of run time but what it shares with the others.
RUN_TIME = [
    f"webhook_runtime.{path.stem}"
    for path in sorted((Path(__file__).parents[1] / "src" / "webhook_runtime").iterdir())
    if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem not in ("__init__", "contract")
]

LAYERS = {
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
            "forbidden_modules": [
                "aws_cdk",
                "constructs",
                "jsii",
                *(room for room in SYNTH_TIME if "packaging" not in room),
            ],
        },
        {
            "name": "Run time knows nothing of synth time",
            "type": "forbidden",
            "source_modules": ["webhook_runtime"],
            "forbidden_modules": [MODULE, "aws_cdk", "constructs", "jsii"],
        },
        {
            "name": "Synth time and the local AWS know of run time the contract alone",
            "type": "forbidden",
            "source_modules": [*SYNTH_TIME, *LOCAL_ONLY],
            "forbidden_modules": RUN_TIME,
        },
        {
            "name": "The contract needs the standard library alone",
            "type": "forbidden",
            "source_modules": ["webhook_runtime.contract"],
            "forbidden_modules": [*RUN_TIME, "boto3", "botocore"],
        },
        {
            "name": "A batch's way: each module of run time knows only those after it",
            "type": "layers",
            "containers": ["webhook_runtime"],
            "exhaustive": True,
            "layers": [
                "handlers | testing",
                "consumer | publisher",
                "storing | settlement",
                "intake | dead_letters | redelivery",
                "batch | deployed",
                "sinks | filters",
                "sources | payloads | tls",
                "guard",
                "logs | clients",
                "deadline",
                "message | outcome",
                "contract",
            ],
        },
        {
            "name": "A webhook's way: each room knows only those after it",
            "type": "layers",
            "containers": [MODULE],
            "layers": ROOMS,
        },
        {
            "name": "Within an endpoint",
            "type": "layers",
            "containers": [f"{MODULE}.endpoint"],
            "layers": ["api", "ingress", "credentials | templates", "access", "address | options"],
        },
        {
            "name": "Within a route",
            "type": "layers",
            "containers": [f"{MODULE}.route"],
            "layers": [
                "route",
                "consumer | throttle",
                "queue",
                "existing_queue",
                "sinks : sink",
                "retry",
            ],
        },
    ],
}


def checks(project: PythonProject) -> None:
    """The tools' tables of pyproject.toml."""
    pyproject = project.try_find_object_file("pyproject.toml")
    assert pyproject
    for tool, settings in {"ruff": RUFF, "mypy": MYPY, "pytest.ini_options": PYTEST, "importlinter": LAYERS}.items():
        pyproject.add_override(f"tool.{tool}", settings)
