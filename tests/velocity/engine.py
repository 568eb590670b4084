"""Run Apache Velocity in a process, as long as the tests need it."""

import shutil
import subprocess
from base64 import b64decode, b64encode
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ..suite.patience import SECONDS

JARS = [Path("/usr/share/java") / f"{name}.jar" for name in ("velocity", "commons-collections3", "commons-lang")]


def why_not() -> str | None:
    """Return the reason for which Velocity cannot run here, or None."""
    if not shutil.which("javac") or not shutil.which("java"):
        return "no JDK: apt-get install default-jdk-headless"
    missing = [jar.name for jar in JARS if not jar.exists()]
    return f"no {', '.join(missing)}: apt-get install velocity" if missing else None


class Velocity:
    """Renders templates with Apache Velocity 1.7, the engine's last version with this dialect."""

    def __init__(self, folder: Path) -> None:
        path = ":".join([*map(str, JARS), str(folder)])
        source = Path(__file__).with_name("Render.java")
        subprocess.run(["javac", "-cp", path, "-d", str(folder), str(source)], check=True)
        self._process = subprocess.Popen(
            ["java", "-cp", path, "Render"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="ascii"
        )

    def render(
        self,
        template: str,
        *,
        body: str,
        header: Mapping[str, str],
        querystring: Mapping[str, str],
        path: Mapping[str, str],
        context: Mapping[str, Any],
    ) -> tuple[str, str]:
        """Return the text, and the response overrides as Java prints them."""
        forms = (urlencode(dict(pairs)) for pairs in (header, querystring, path, _flat(context)))
        line = "\t".join(b64encode(field.encode()).decode() for field in (template, body, *forms))
        assert self._process.stdin
        assert self._process.stdout
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        text, overrides = self._process.stdout.readline().split("\t")
        return b64decode(text).decode(), b64decode(overrides).decode()

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait(timeout=SECONDS)


def _flat(context: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    flat: dict[str, str] = {}
    for name, value in context.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {prefix + name: str(value)}
    return flat
