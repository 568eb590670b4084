"""The content of the files of a release. Each check returns its observation, or raises an error."""

import hashlib
import shutil
import sys
import tarfile
import zipfile
from collections import Counter
from collections.abc import Mapping
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urlsplit

import digests
from packaging.metadata import Metadata
from readme_renderer.markdown import render

from release_check.rejected import ROOT, Rejected, inherited, run

_BIN = Path(sys.executable).parent
# Files without which it installs but does not work, by their names in the output.
_NEEDED = {
    "sinks": "webhook_runtime/sinks/[!_]*.py",
    "templates of the direct integration": "cdk_scalable_webhook/endpoint/mapping/*.vtl",
    "memory of RDS's classes": "webhook_runtime/contract/*.json",
    "bundle of authorities": "webhook_runtime/contract/*.pem",
    "prices": "scalable_webhook_cli/plan/*.json",
    "events of providers": "scalable_webhook_cli/samples/*.json",
    "app of the conformance cases": "scalable_webhook_cli/conformance/app/cdk.json",
    "handler of this app": "scalable_webhook_cli/conformance/app/handler/*.py",
    "py.typed": "*/py.typed",
}
_WITH_SOURCE = {"pyproject.toml", "hatch_build.py", "README.md", "API.md", "CHANGELOG.md", "LICENSE"}
_WRITTEN_BY_HATCHLING = {"PKG-INFO", ".gitignore"}


def build(target: Path, *options: str) -> None:
    """Build as `make dist` does, by the same command."""
    command = ["make", "--silent", "dist", f"DIST={target}", f"DIST_OPTIONS={' '.join(options)}"]
    run(command, env=_elsewhere(), umask=0o077)


def _elsewhere() -> dict[str, str]:
    """Return an environment with another time zone and locale, in which a dependency on them shows."""
    return inherited() | {"TZ": "Pacific/Kiritimati", "LC_ALL": "C"}


def digest(file: Path) -> str:
    """Return the SHA-256 of a file, as pip writes it."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def same_again(built: Path, scratch: Path) -> str:
    """Check that a second build has the same bytes, with the wheel from the checkout instead of the sdist."""
    again, straight = scratch / "again", scratch / "straight"
    build(again)
    build(straight, "--wheel")
    _same_bytes(built, again)
    _same_bytes(built, straight)
    return "twice, the wheel from the sdist and from the checkout: the same bytes"


def same_alone(built: Path, scratch: Path) -> str:
    """Check that the published build has the same bytes: in another checkout, by the build backend alone."""
    checkout, alone = scratch / "another checkout", scratch / "alone"
    for name in _listed("."):
        if (ROOT / name).exists():
            (checkout / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, checkout / name, follow_symlinks=False)
    run(["make", "--silent", "dist-alone", f"DIST={alone}"], cwd=checkout, env=_elsewhere(), umask=0o077)
    _same_bytes(built, alone)
    installed = run([checkout / ".venv-build" / "bin" / "python", "-m", "pip", "list", "--format=freeze"])
    return f"by the build backend alone ({', '.join(installed.split())}), in another checkout: the same bytes"


def _same_bytes(built: Path, again: Path) -> None:
    first, other = digests.digests(built), digests.digests(again)
    if not other.items() <= first.items() or not other:
        differs = sorted(set(other.items()) ^ set(first.items()))
        raise Rejected(f"a second build has other bytes in {', '.join(dict.fromkeys(name for name, _ in differs))}")


def checked_by_others(wheel: Path, sdist: Path) -> str:
    """Run twine and check-wheel-contents."""
    run([_BIN / "twine", "check", "--strict", wheel, sdist])
    packages = ",".join(sorted(path.name for path in (ROOT / "src").iterdir() if path.is_dir()))
    run([_BIN / "check-wheel-contents", "--no-config", "--toplevel", packages, wheel])
    return "twine check --strict and check-wheel-contents have no complaint"


def source() -> dict[str, bytes]:
    """Return the files of src that are versioned, or would be."""
    files = [ROOT / name for name in _listed("src")]
    return {str(file.relative_to(ROOT / "src")): file.read_bytes() for file in files if file.exists()}


def _listed(folder: str) -> list[str]:
    """Return the files that a checkout has, or would have."""
    listed = run(["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", folder])
    return [name for name in listed.split("\0") if name]


def wheel_is(wheel: Path, source: Mapping[str, bytes]) -> str:
    """Check that the wheel has each file of the source, and no other."""
    _same(wheel, installed(wheel), source)
    return f"the wheel has the {len(source)} files of src, byte for byte, and no other"


def installed(wheel: Path) -> dict[str, bytes]:
    """Return the files that the wheel installs, without its metadata."""
    with zipfile.ZipFile(wheel) as archive:
        names = (name for name in archive.namelist() if not name.split("/")[0].endswith(".dist-info"))
        return {name: archive.read(name) for name in names}


def sdist_is(sdist: Path, source: Mapping[str, bytes]) -> str:
    """Check that the sdist has the source and the files for a build, without tests and caches."""
    with tarfile.open(sdist) as archive:
        members = {member.name.partition("/")[2]: archive.extractfile(member) for member in archive if member.isfile()}
        content = {name: data.read() for name, data in members.items() if data}
    others = {name: (ROOT / name).read_bytes() for name in _WITH_SOURCE}
    own = {name: content.pop(name) for name in _WRITTEN_BY_HATCHLING if name in content}
    _same(sdist, content, {f"src/{name}": data for name, data in source.items()} | others)
    if "PKG-INFO" not in own:
        raise Rejected(f"{sdist.name} has no PKG-INFO")
    return f"the sdist has them too, and {', '.join(sorted(others))}"


def _same(file: Path, got: Mapping[str, bytes], wanted: Mapping[str, bytes]) -> None:
    for what, names in {
        "lacks": wanted.keys() - got.keys(),
        "must not have": got.keys() - wanted.keys(),
        "has something else in": {name for name in got.keys() & wanted.keys() if got[name] != wanted[name]},
    }.items():
        if names:
            raise Rejected(f"{file.name} {what} {', '.join(sorted(names))}")


def wheel_has_what_runs(wheel: Path) -> str:
    """Check that the wheel has the files that only a deployed function, a type checker or a database needs."""
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    packages = {name.split("/")[0] for name in names if name.endswith("/__init__.py") and name.count("/") == 1}
    counts = Counter({what: sum(fnmatch(name, pattern) for name in names) for what, pattern in _NEEDED.items()})
    missing = [_NEEDED[what] for what, count in counts.items() if not count]
    if counts["py.typed"] < len(packages):
        missing.append(_NEEDED["py.typed"])
    if missing:
        raise Rejected(f"{wheel.name} lacks {', '.join(dict.fromkeys(missing))}")
    return ", ".join(f"{count} {what}" for what, count in counts.items())


def metadata(wheel: Path) -> Metadata:
    """Return the metadata of the wheel."""
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        return Metadata.from_email(archive.read(name))


class _Links(HTMLParser):
    """The links of a page, and the anchors in it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.targets: list[str] = []
        self.places: set[str] = set()
        self.feed(page)

    def handle_starttag(self, _tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src") and value:
                self.targets.append(value)
            if name == "id" and value:
                self.places.add(f"#{value}")


def links(text: str) -> list[str]:
    """Return the links of a page at PyPI, rendered as there.

    Raises:
        Rejected: A link is dead there.
    """
    page = render(text)
    if page is None:
        raise Rejected("PyPI would not render the page")
    found = _Links(page)
    dead = [to for to in found.targets if not urlsplit(to).scheme and to not in found.places]
    if dead:
        raise Rejected(f"the page at PyPI would have dead links to {', '.join(dict.fromkeys(dead))}")
    return [to for to in found.targets if to not in found.places]


def page_is_whole(wheel: Path) -> str:
    """Check the page at PyPI."""
    said = metadata(wheel)
    if said.description_content_type != "text/markdown" or not said.description:
        raise Rejected(f"{wheel.name} has no page in Markdown")
    addresses = " and ".join(said.project_urls or {}) or "no address of the repository, since no code host builds this"
    return f"the page at PyPI has {len(links(said.description))} links, none of them dead, and {addresses}"
