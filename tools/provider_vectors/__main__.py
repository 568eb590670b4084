"""Write tests/providers/vectors.json, with which the page of providers is tested: `make vectors`.

Each webhook of ``cases.py`` goes to its libraries, in the versions of requirements.in and package.json, with locked
dependencies. They have to accept it, and to reject it with another payload and with another secret. Otherwise nothing
is written.
"""

import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from provider_vectors.cases import CASES, HERE, Case, versions, written
from scalable_webhook_cli.signals import interrupt_on_termination

ROOT = HERE.parents[1]
VECTORS = ROOT / "tests" / "providers" / "vectors.json"
ENVIRONMENT = ROOT / ".venv" / "providers"
BIN = Path(sys.executable).parent
# Libraries that are not the provider's own: of others, or of another provider that signs in the same way.
OF_OTHERS = {
    "@hookflo/tern",
    "@octokit/webhooks-methods",
    "@trigger.dev/core",
    "nuxt-webhook-validators",
    "pyairtable",
    "python-telegram-bot",
    "standardwebhooks",
    "x-hub-signature",
}

Request = dict[str, Any]
Ask = Callable[[Sequence[Request]], list[str]]


def install() -> None:
    """Install the libraries into an environment of their own."""
    shutil.rmtree(ENVIRONMENT, ignore_errors=True)
    _run(BIN / "uv", "venv", "--quiet", "--python", sys.executable, ENVIRONMENT)
    python, hashed = ENVIRONMENT / "bin" / "python", ["--require-hashes", "--no-build"]
    _run(BIN / "uv", "pip", "install", "--quiet", *hashed, "--python", python, "-r", HERE / "requirements.txt")
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, ENVIRONMENT)
    _run(BIN / "npm", "ci", "--silent", "--no-fund", "--no-audit", "--ignore-scripts", "--prefix", ENVIRONMENT)


def of_pypi(requests: Sequence[Request]) -> list[str]:
    return _answers([ENVIRONMENT / "bin" / "python", HERE / "libraries.py"], requests)


def of_npm(requests: Sequence[Request]) -> list[str]:
    return _answers([BIN / "node", HERE / "libraries.mjs"], requests)


def changed(payload: Any) -> Any:
    """Return another payload that the same libraries can read."""
    if isinstance(payload, dict):
        return {**payload, "forged": True}
    return [*payload, "forged"] if isinstance(payload, list) else f"{payload} forged"


def requests(case: Case, library: str) -> Iterable[tuple[bool, Request]]:
    """Yield the requests for a library, each with whether it has to accept it."""
    sent = {"library": library, **case.vector()}
    yield True, sent
    yield False, {**sent, "secret": case.secret[:-3] + ("AAA" if case.secret[-3:] != "AAA" else "BBB")}
    if case.is_signed:
        yield False, {**sent, "payload": written(changed(case.payload))}


def prove(cases: Sequence[Case], known: dict[str, dict[str, str]]) -> list[str]:
    """Ask every library, and return the wrong answers."""
    wrong = []
    for registry, ask in {"PyPI": of_pypi, "npm": of_npm}.items():
        asked = [
            (accepts, request)
            for case in cases
            for library in case.libraries
            if known[library]["registry"] == registry
            for accepts, request in requests(case, library)
        ]
        answers = ask([request for _, request in asked])
        for (accepts, request), reason in zip(asked, answers, strict=True):
            said = reason or "accepted"
            print(f"{request['provider']:26} {request['library']:28} {said[:110]}")
            if accepts == bool(reason):
                wrong.append(f"{request['library']} should {'' if accepts else 'not '}accept {request}: {said}")
    return wrong


def main() -> None:
    interrupt_on_termination()
    known = versions()
    if "--installed" not in sys.argv:
        install()
    wrong = prove(CASES, known)
    if wrong:
        sys.exit("\n".join(wrong))
    vectors = [
        {
            **case.vector(),
            "is_signed": case.is_signed,
            **({"published": case.published} if case.published else {}),
            "libraries": [
                {"name": name, **known[name], "is_its_own": name not in OF_OTHERS} for name in case.libraries
            ],
        }
        for case in CASES
    ]
    VECTORS.write_text(json.dumps(vectors, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(vectors)} vectors of {len({case.provider for case in CASES})} providers")


def _run(*command: str | Path) -> None:
    subprocess.run(list(map(str, command)), check=True)


def _answers(command: Sequence[str | Path], requests: Sequence[Request]) -> list[str]:
    run = subprocess.run(
        list(map(str, command)),
        input=json.dumps(requests),
        cwd=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
    )
    if run.returncode:
        sys.exit(f"{command[-1]} failed:\n{run.stderr}")
    answers: list[str] = json.loads(run.stdout.strip().splitlines()[-1])
    return answers


if __name__ == "__main__":
    main()
