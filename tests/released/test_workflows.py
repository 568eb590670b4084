"""The permissions of the workflows, and the programs with write access, as read from the files."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
WORKFLOWS = {path.stem: yaml.safe_load(path.read_text()) for path in (ROOT / ".github" / "workflows").glob("*.yml")}
JOBS = {f"{workflow}/{name}": job for workflow, content in WORKFLOWS.items() for name, job in content["jobs"].items()}

# The permissions of each job. A new permission has to be added here.
PERMISSIONS = {
    "build/build": {"contents": "read"},
    "release/test": {"contents": "read"},
    "release/build": {"contents": "read"},
    "release/pypi": {"contents": "read", "id-token": "write"},
    "release/published": {"contents": "read"},
    "release/notes": {"contents": "write"},
    "upgrade/upgrade": {"contents": "read"},
    "upgrade/propose": {"contents": "write", "pull-requests": "write"},
}
# All programs that run with write access: publish.sh, which installs from locks, and tools of the runner or the
# standard library. Add a new line here.
RUNS = {
    "release/pypi": ["bash tools/publish/publish.sh dist/python"],
    "release/notes": [
        'python3 tools/release.py --tag "$TAG" --notes notes.md',
        'python3 tools/publish/digests.py dist/python --are "$BUILT" "$TESTED"',
        'gh release create "$TAG" dist/python/* --repo "$GITHUB_REPOSITORY" --verify-tag --title "$TAG" '
        "--notes-file notes.md",
    ],
    "upgrade/propose": [
        "[ -s dist/upgrade.patch ] || exit 0",
        "git apply --index dist/upgrade.patch",
        'git config user.name "github-actions[bot]"',
        'git config user.email "github-actions[bot]@users.noreply.github.com"',
        'git commit --message "deps: newer versions of the development packages"',
        "gh auth setup-git",
        "git push --force origin HEAD:refs/heads/upgrade",
        "gh pr view upgrade --json state --jq .state | grep --quiet OPEN ||",
        '  gh pr create --head upgrade --fill --body "By make lock, and tested by .ci/run."',
    ],
}
CACHES = re.compile(r"\bcache\b")


def steps(job: dict[str, Any]) -> list[dict[str, Any]]:
    return list(job["steps"])


def writes(name: str) -> bool:
    return "write" in PERMISSIONS[name].values()


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_itself_has_no_permissions(name: str) -> None:
    assert WORKFLOWS[name]["permissions"] == {}


def test_a_job_has_the_permissions_listed_here() -> None:
    assert {name: job["permissions"] for name, job in JOBS.items()} == PERMISSIONS


@pytest.mark.parametrize("name", JOBS)
def test_an_action_is_pinned_to_a_commit(name: str) -> None:
    used = [step["uses"] for step in steps(JOBS[name]) if "uses" in step]
    assert used
    assert [each for each in used if not re.fullmatch(r"actions/[\w-]+@[0-9a-f]{40}", each)] == []
    assert "uses" not in JOBS[name]  # a third-party workflow would bring steps that no one has reviewed here


@pytest.mark.parametrize("name", JOBS)
def test_no_script_has_text_of_a_third_party(name: str) -> None:
    """GitHub does not quote its expressions, so each is passed in the environment, or is one of these."""
    scripts = "\n".join(step.get("run", "") for step in steps(JOBS[name]))
    assert set(re.findall(r"\$\{\{\s*(.*?)\s*\}\}", scripts)) <= {"matrix.part"}


@pytest.mark.parametrize("name", JOBS)
def test_a_checkout_leaves_no_credentials_and_no_job_restores_a_cache(name: str) -> None:
    for step in steps(JOBS[name]):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert not CACHES.search(step.get("uses", ""))
        assert not [option for option in step.get("with", {}) if CACHES.search(option)]


def test_a_job_with_write_access_runs_the_programs_listed_here() -> None:
    writing = [name for name in JOBS if writes(name)]
    assert {
        name: [line for step in steps(JOBS[name]) for line in step.get("run", "").splitlines()] for name in writing
    } == RUNS
    for name in writing:
        assert JOBS[name].keys() & {"container", "services", "defaults"} == set()
        assert "defaults" not in WORKFLOWS[name.partition("/")[0]]
        assert all("shell" not in step for step in steps(JOBS[name]))
        assert {step["uses"].partition("@")[0] for step in steps(JOBS[name]) if "uses" in step} <= {
            "actions/checkout",
            "actions/download-artifact",
        }


class TestPublishing:
    JOB = JOBS["release/pypi"]

    def test_it_has_three_steps(self) -> None:
        checkout, download, publish = steps(self.JOB)
        assert checkout["with"] == {
            "persist-credentials": False,
            "sparse-checkout": "tools/publish",
            "sparse-checkout-cone-mode": False,
        }
        assert download["with"] == {"name": "dist", "path": "dist"}
        assert publish["run"] == "bash tools/publish/publish.sh dist/python"
        assert self.JOB["environment"] == "pypi"

    def test_it_gets_the_files_from_the_tests_and_from_the_build(self) -> None:
        assert set(self.JOB["needs"]) == {"test", "build"}
        told = {"BUILT": "${{ needs.build.outputs.digests }}", "TESTED": "${{ needs.test.outputs.digests }}"}
        for name in ("release/pypi", "release/notes"):
            assert any(step.get("env", {}).items() >= told.items() for step in steps(JOBS[name])), name
        for name in ("release/test", "release/build"):
            assert JOBS[name]["outputs"] == {"digests": "${{ steps.digests.outputs.digests }}"}
            (said,) = (step["run"] for step in steps(JOBS[name]) if step.get("id") == "digests")
            assert said == 'echo "digests=$(python3 tools/publish/digests.py dist/python)" >> "$GITHUB_OUTPUT"'

    def test_published_files_are_built_where_nothing_else_has_run(self) -> None:
        ran = [step["run"] for step in steps(JOBS["release/build"]) if "run" in step]
        assert ran[1] == "make dist-alone"
        assert ran[0].startswith("python3 tools/release.py --tag ")  # from the standard library only
        assert len(ran) == 3
        assert "needs" not in JOBS["release/build"]
        uploads = {name for name, job in JOBS.items() if any("upload" in step.get("uses", "") for step in steps(job))}
        assert uploads == {"release/build", "upgrade/upgrade"}

    def test_only_files_of_the_artifact_with_a_known_digest_are_used(self) -> None:
        scripts = "\n".join(step.get("run", "") for step in steps(JOBS["release/pypi"]) + steps(JOBS["release/notes"]))
        assert set(re.findall(r"dist/\S+", scripts)) == {"dist/python", "dist/python/*"}

    def test_its_script_installs_from_lock_files_only(self) -> None:
        script = (ROOT / "tools" / "publish" / "publish.sh").read_text().replace("\\\n", " ")
        lines = [line for line in script.splitlines() if not line.startswith("#")]
        (npm,) = (line for line in lines if re.match(r"\s*npm\b", line))
        (pip,) = (line for line in lines if "-m pip " in line)
        assert npm.startswith("npm ci ")
        assert "--ignore-scripts" in npm
        assert {"--require-hashes", "--only-binary", "--no-deps"} <= set(pip.split())
        assert "PIP_NO_INDEX=1" in script
        assert not re.search(r"\b(npx|uvx|pipx|curl|wget|eval)\b", "\n".join(lines))

    def test_the_files_are_compared_immediately_before_the_upload(self) -> None:
        *_, last, upload = (ROOT / "tools" / "publish" / "publish.sh").read_text().splitlines()
        assert last == 'hold "$1"'
        assert upload.endswith('/publib-pypi" "$1"')
