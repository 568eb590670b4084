"""The settings of the tools of `make check` and `make test`."""

from pathlib import Path

from projen.python import PythonProject

from projenrc.package import CLI, MODULE, PYTHONS, RUNTIME

RUFF = {
    "line-length": 120,
    "target-version": f"py{PYTHONS[0].replace('.', '')}",
    "src": ["src", ".", "benchmarks"],
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
            "A001",  # the CDK has arguments called `id`
            "A002",
            "N818",  # exceptions have names of the field: Permanent, MalformedMessage
            "D105",  # the docstring of the class covers magic methods and __init__
            "D107",
            "S101",  # an assert narrows a type, or is a test
            "S603",  # subprocesses run commands of this code, without input of a user
            "RUF001",  # tests and texts have characters beyond ASCII on purpose
            "RUF012",
        ],
        "per-file-ignores": {
            "tests/**": ["D", "S", "ARG", "N"],
            # Tables, one row a line.
            "tests/synth/checks/test_types.py": ["E501"],
            "tests/synth/test_checks.py": ["E501"],
            "tests/synth/test_filters.py": ["E501"],
            "tests/synth/test_remedies.py": ["E501"],
            "tests/typing/wrong.py": ["E501", "B018"],
            "examples/**": ["D"],
            "benchmarks/peers/**": ["D"],  # written as in their own documentation
            f"src/{CLI}/conformance/cases/*.py": ["E501"],  # tables, one row a line
            "tools/**": ["D"],
            "tools/provider_vectors/**": ["S"],  # its secrets are for tests
            f"src/{RUNTIME}/**": ["D"],  # not public: the docstring of the module is enough
            f"src/{CLI}/**": ["D102", "D103", "D101"],
        },
    },
}

MYPY = {
    "strict": True,
    "python_version": PYTHONS[0],
    "mypy_path": "src:.:examples:benchmarks:tools:tools/publish",
    "explicit_package_bases": True,
    "exclude": [
        r"tests/typing/wrong\.py$",  # test_typing.py has the errors that mypy must find there
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
                "jsonschema",
                "ministack.*",
                "pg8000.*",
                "scramp.*",
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
    "pythonpath": [".", "examples", "benchmarks", "tools", "tools/publish"],
    "filterwarnings": ["ignore::DeprecationWarning"],
    "markers": [
        "processes: needs processes or threads, which WebAssembly does not have: see tests/lambda_python",
        "slow(seconds): takes about so many seconds by itself, more than 5; `make test` leaves it out",
        "smoke: `make test` runs it although it is slow, since no other test of `make test` covers that part",
    ],
}

THE_CDK = ["aws_cdk", "constructs", "jsii"]
# The packages of synth time, in the order in which a webhook passes them. Modules of one line do not import each other.
ROOMS = [
    "webhook",
    "alarms | dashboard",
    "endpoint | route",
    "endpoints",
    "filters | grouping | payloads",
    "sources",
    "packaging",
    "acknowledgement | grants | monitoring | stack",
    "common | findings",
    "checks",
]
# The modules of run time without the contract, which the others may import.
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
            "name": "Synth time needs the CDK alone",
            "type": "forbidden",
            "source_modules": [MODULE],
            "forbidden_modules": [CLI, "boto3", "botocore", "httpx", "rich", "typer"],
        },
        {
            "name": "Run time imports neither of the other two",
            "type": "forbidden",
            "source_modules": [RUNTIME],
            "forbidden_modules": [MODULE, CLI, *THE_CDK],
        },
        {
            "name": "The command line imports neither the construct nor the CDK",
            "type": "forbidden",
            "source_modules": [CLI],
            "forbidden_modules": [MODULE, *THE_CDK],
        },
        {
            "name": "The others import nothing of run time except the contract",
            "type": "forbidden",
            "source_modules": [MODULE, CLI],
            "forbidden_modules": RUN_TIME,
        },
        {
            "name": "The command line: each package and module imports only those after it",
            "type": "layers",
            "layers": [
                f"{CLI}.__main__",
                f"{CLI}.commands",
                f"{CLI}.conformance",
                f"{CLI}.gateway",
                f"{CLI}.local",
                f"{CLI}.status | {CLI}.story | {CLI}.rows",
                f"{CLI}.deliveries | {CLI}.outcomes | {CLI}.stored",
                f"{CLI}.events",
                f"{CLI}.log_lines",
                f"{CLI}.throttle | {CLI}.plan | {CLI}.dead_letters",
                f"{CLI}.recipients",
                f"{CLI}.burst | {CLI}.cdk | {CLI}.deployed | {CLI}.observe | {CLI}.size | {CLI}.terminal",
                f"{CLI}.addresses | {CLI}.causes | {CLI}.names",
                f"{CLI}.signing_secrets",
                f"{CLI}.cloudwatch | {CLI}.target | {CLI}.processes | {CLI}.samples | {CLI}.shown | {CLI}.signals",
                f"{CLI}.errors",
            ],
        },
        {
            "name": "A plan needs the standard library alone",
            "type": "forbidden",
            "source_modules": [f"{CLI}.plan"],
            "forbidden_modules": ["boto3", "botocore", "httpx", "rich", "typer"],
        },
        {
            "name": "Within a plan",
            "type": "layers",
            "containers": [f"{CLI}.plan"],
            "exhaustive": True,
            "layers": [
                "planning",
                "result",
                "chart | simulation",
                "fit | quantities | series | template | bill",
                "load",
            ],
        },
        {
            "name": "The contract needs the standard library alone",
            "type": "forbidden",
            "source_modules": [f"{RUNTIME}.contract"],
            "forbidden_modules": [*RUN_TIME, "boto3", "botocore"],
        },
        {
            "name": "Run time: each module imports only those after it",
            "type": "layers",
            "containers": [RUNTIME],
            "exhaustive": True,
            "layers": [
                "handlers | testing",
                "breaker | consumer | publisher",
                "storing | settlement | probe | outage",
                "intake | dead_letters | redelivery",
                "batch | deployed",
                "sinks | filters",
                "sources | payloads | tls",
                "guard",
                "logs | clients | requests",
                "aws",
                "deadline",
                "grouping | interrupts",
                "message | outcome | pace",
                "contract",
            ],
        },
        {
            "name": "Synth time: each package imports only those after it",
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
            "layers": [
                "front",
                "api",
                "function_url : ingress : publisher",
                "credentials | templates",
                "access",
                "address | options",
            ],
        },
        {
            "name": "Within a route",
            "type": "layers",
            "containers": [f"{MODULE}.route"],
            "layers": [
                "route",
                "consumer | throttle",
                "breaker | queue",
                "existing_queue | capacity | rate",
                "sinks : sink",
                "retry",
            ],
        },
    ],
}


def checks(project: PythonProject) -> None:
    """Write the tables of the tools in pyproject.toml."""
    pyproject = project.try_find_object_file("pyproject.toml")
    assert pyproject
    for tool, settings in {"ruff": RUFF, "mypy": MYPY, "pytest.ini_options": PYTEST, "importlinter": LAYERS}.items():
        pyproject.add_override(f"tool.{tool}", settings)
