"""What `make check` and `make test` hold the code to: the settings of each tool."""

from pathlib import Path

from projen.python import PythonProject

from projenrc.package import CLI, MODULE, PYTHONS, RUNTIME

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
            f"src/{RUNTIME}/**": ["D"],  # not public: the module's docstring says what it is for
            f"src/{CLI}/**": ["D102", "D103", "D101"],
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

THE_CDK = ["aws_cdk", "constructs", "jsii"]
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
# All of run time but what it shares with the others.
RUN_TIME = [
    f"{RUNTIME}.{path.stem}"
    for path in sorted((Path(__file__).parents[1] / "src" / "webhook_runtime").iterdir())
    if (path.suffix == ".py" or (path / "__init__.py").exists()) and path.stem not in ("__init__", "contract")
]

LAYERS = {
    "root_packages": [MODULE, RUNTIME, CLI],
    "include_external_packages": True,
    "exclude_type_checking_imports": True,
    "contracts": [
        {
            "name": "Synth time needs nothing but the CDK",
            "type": "forbidden",
            "source_modules": [MODULE],
            "forbidden_modules": [CLI, "boto3", "botocore", "httpx", "rich", "typer"],
        },
        {
            "name": "Run time knows nothing of the other two",
            "type": "forbidden",
            "source_modules": [RUNTIME],
            "forbidden_modules": [MODULE, CLI, *THE_CDK],
        },
        {
            "name": "The command line knows neither the construct nor the CDK",
            "type": "forbidden",
            "source_modules": [CLI],
            "forbidden_modules": [MODULE, *THE_CDK],
        },
        {
            "name": "Nothing of run time is known elsewhere but the contract",
            "type": "forbidden",
            "source_modules": [MODULE, CLI],
            "forbidden_modules": RUN_TIME,
        },
        {
            "name": "The command line: each package and module knows only those after it",
            "type": "layers",
            "layers": [
                f"{CLI}.__main__",
                f"{CLI}.commands",
                f"{CLI}.gateway",
                f"{CLI}.local",
                f"{CLI}.burst | {CLI}.observe | {CLI}.terminal",
                f"{CLI}.target | {CLI}.processes | {CLI}.shown | {CLI}.signals",
                f"{CLI}.errors",
            ],
        },
        {
            "name": "The contract needs the standard library alone",
            "type": "forbidden",
            "source_modules": [f"{RUNTIME}.contract"],
            "forbidden_modules": [*RUN_TIME, "boto3", "botocore"],
        },
        {
            "name": "A batch's way: each module of run time knows only those after it",
            "type": "layers",
            "containers": [RUNTIME],
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
            "exhaustive": True,
            "exhaustive_ignores": ["version"],
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
