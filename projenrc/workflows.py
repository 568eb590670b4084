"""The workflows of the code host: the checks of each change, a release, and an upgrade of the development packages.

A release is a tag: `make release VERSION=…` writes version, changelog and snapshot before. projen's own release derives
versions from commit messages, and changes them where no test runs, so it is not used (decisions/0017).
"""

from projen import JsonPatch
from projen.github import ActionRefs, DownloadArtifactWith, GitHub, GithubWorkflow, UploadArtifactWith, WorkflowSteps
from projen.github.workflows import (
    CronScheduleOptions,
    Job,
    JobPermission,
    JobPermissions,
    JobStep,
    JobStepOutput,
    JobStrategy,
    PullRequestOptions,
    PushOptions,
)
from projen.python import PythonProject

from projenrc.package import PYTHONS

# By commit, since a tag can move; projen pins the other actions by itself.
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"  # v7.0.0
RUNNER = ["ubuntu-24.04"]
READS = JobPermissions(contents=JobPermission.READ)
# All parts one after the other take half an hour; the rest is for a slow machine.
MINUTES = 90
# The digests of the files of a release, as the output of a job.
DIGESTS = {"digests": JobStepOutput(step_id="digests", output_name="digests")}
BUILT_AND_TESTED = {"BUILT": "${{ needs.build.outputs.digests }}", "TESTED": "${{ needs.test.outputs.digests }}"}
# The parts of .ci/run, which run in parallel for a change.
PARTS = ["check", "test-all", "release-check", "bench"]


def workflows(project: PythonProject) -> None:
    """Write every workflow of the code host."""
    assert project.github
    _build(project.github)
    _release(project.github)
    _upgrade(project.github)


def _build(github: GitHub) -> None:
    build = _workflow(github, "build")
    build.on(pull_request=PullRequestOptions(), push=PushOptions(branches=["main"]))
    build.add_job(
        "build",
        Job(
            runs_on=RUNNER,
            permissions=READS,
            timeout_minutes=MINUTES,
            strategy=JobStrategy(matrix={"domain": {"part": PARTS, "python": [PYTHONS[0], PYTHONS[-1]]}}),
            steps=[_checkout(), _python("${{ matrix.python }}"), _ci("${{ matrix.part }}")],
        ),
    )


def _release(github: GitHub) -> None:
    """Publish release 1.2.3 for a tag `v1.2.3`, by trusted publishing, so without a password of the registry.

    A job that runs the build backend alone makes the published files. They must have the same bytes as the
    tested files, which were built with all development packages. The job that may publish runs neither
    (decisions/0021).
    """
    release = _workflow(github, "release", limit_concurrency=True)
    release.on(push=PushOptions(tags=["v*"]))
    release.add_job(
        "test",
        Job(
            runs_on=RUNNER,
            permissions=READS,
            timeout_minutes=MINUTES,
            # The last version is `python3`; the other one is for the release check.
            steps=[_checkout(), _python(f"{PYTHONS[-1]}\n{PYTHONS[0]}"), _ci(), _digests()],
            outputs=DIGESTS,
        ),
    )
    release.add_job(
        "build",
        Job(
            runs_on=RUNNER,
            permissions=READS,
            timeout_minutes=MINUTES,
            steps=[
                _checkout(),
                _python(PYTHONS[-1]),
                JobStep(
                    name="Compare the tag with version and changelog",
                    env={"TAG": "${{ github.ref_name }}"},
                    run='python3 tools/release.py --tag "$TAG"',
                ),
                JobStep(name="Build", run="make dist-alone"),
                _digests(),
                WorkflowSteps.upload_artifact(with_=UploadArtifactWith(name="dist", path="dist")),
            ],
            outputs=DIGESTS,
        ),
    )
    release.add_job(
        "pypi",
        Job(
            name="Publish to PyPI",
            needs=["test", "build"],
            runs_on=RUNNER,
            environment="pypi",
            permissions=JobPermissions(id_token=JobPermission.WRITE, contents=JobPermission.READ),
            # Python and Node are the runner's own, since setting them up would fetch the newest.
            steps=[
                _checkout("tools/publish"),
                _download(),
                JobStep(
                    name="Publish",
                    env={**BUILT_AND_TESTED, "PYPI_TRUSTED_PUBLISHER": "true"},
                    run="bash tools/publish/publish.sh dist/python",
                ),
            ],
        ),
    )
    release.add_job(
        "published",
        Job(
            name="Compare PyPI with the built files",
            needs=["build", "pypi"],
            runs_on=RUNNER,
            permissions=READS,
            steps=[
                _checkout(),
                _python(PYTHONS[-1]),
                JobStep(
                    name="Compare",
                    env={"BUILT": "${{ needs.build.outputs.digests }}"},
                    run="make published",
                ),
            ],
        ),
    )
    release.add_job(
        "notes",
        Job(
            name="Publish to the page of releases",
            needs=["test", "build", "published"],
            runs_on=RUNNER,
            permissions=JobPermissions(contents=JobPermission.WRITE),
            steps=[
                _checkout(),
                _download(),
                # Written here, since any job can replace an artifact, and the text has no digest.
                JobStep(
                    name="Write the notes",
                    env={"TAG": "${{ github.ref_name }}"},
                    run='python3 tools/release.py --tag "$TAG" --notes notes.md',
                ),
                JobStep(
                    name="Compare the files with those that were built and tested",
                    env=BUILT_AND_TESTED,
                    run='python3 tools/publish/digests.py dist/python --are "$BUILT" "$TESTED"',
                ),
                JobStep(
                    name="Publish",
                    env={"GH_TOKEN": "${{ github.token }}", "TAG": "${{ github.ref_name }}"},
                    run='gh release create "$TAG" dist/python/* --repo "$GITHUB_REPOSITORY" --verify-tag'
                    ' --title "$TAG" --notes-file notes.md',
                ),
            ],
        ),
    )


def _upgrade(github: GitHub) -> None:
    """Open a pull request with newer versions once a week, after all tests have passed.

    If a newer projen changes a workflow, the push is rejected, since the token of a workflow must not change workflows.
    Then do the same by hand.
    """
    upgrade = _workflow(github, "upgrade", limit_concurrency=True)
    upgrade.on(schedule=[CronScheduleOptions(cron="0 4 * * 1")], workflow_dispatch={})
    upgrade.add_job(
        "upgrade",
        Job(
            runs_on=RUNNER,
            permissions=READS,
            timeout_minutes=MINUTES,
            steps=[
                _checkout(),
                _python(PYTHONS[0]),
                JobStep(name="Pin the newest", run="make lock generate"),
                # A pull request of a workflow starts no workflow, so the tests have to run here.
                _ci(),
                JobStep(name="Difference", run="mkdir dist && git diff --binary > dist/upgrade.patch"),
                WorkflowSteps.upload_artifact(with_=UploadArtifactWith(name="dist", path="dist")),
            ],
        ),
    )
    upgrade.add_job(
        "propose",
        # The job that may write runs none of the new packages.
        Job(
            name="Open a pull request",
            needs=["upgrade"],
            runs_on=RUNNER,
            permissions=JobPermissions(contents=JobPermission.WRITE, pull_requests=JobPermission.WRITE),
            steps=[
                _checkout(),
                _download(),
                JobStep(
                    name="Open or update it",
                    env={"GH_TOKEN": "${{ github.token }}"},
                    run="\n".join(
                        [
                            "[ -s dist/upgrade.patch ] || exit 0",
                            "git apply --index dist/upgrade.patch",
                            'git config user.name "github-actions[bot]"',
                            'git config user.email "github-actions[bot]@users.noreply.github.com"',
                            'git commit --message "deps: newer versions of the development packages"',
                            "gh auth setup-git",
                            "git push --force origin HEAD:refs/heads/upgrade",
                            "gh pr view upgrade --json state --jq .state | grep --quiet OPEN ||",
                            '  gh pr create --head upgrade --fill --body "By make lock, and tested by .ci/run."',
                        ]
                    ),
                ),
            ],
        ),
    )


def _workflow(github: GitHub, name: str, *, limit_concurrency: bool = False) -> GithubWorkflow:
    """Define a workflow without permissions, except those of each job."""
    workflow = GithubWorkflow(github, name, limit_concurrency=limit_concurrency)
    assert workflow.file
    # A patch, since projen leaves out an empty override. The move puts the jobs last again.
    workflow.file.patch(JsonPatch.add("/permissions", {}), JsonPatch.move("/jobs", "/jobs"))
    return workflow


def _checkout(only: str = "") -> JobStep:
    sparse = {"sparse-checkout": only, "sparse-checkout-cone-mode": False} if only else {}
    return JobStep(name="Checkout", uses=ActionRefs.ACTIONS_CHECKOUT, with_={"persist-credentials": False, **sparse})


def _python(version: str) -> JobStep:
    return JobStep(name="Python", uses=SETUP_PYTHON, with_={"python-version": version})


def _download() -> JobStep:
    return WorkflowSteps.download_artifact(with_=DownloadArtifactWith(name="dist", path="dist"))


def _digests() -> JobStep:
    """Write the digests as an output, which no other job can change, unlike an artifact."""
    say = 'echo "digests=$(python3 tools/publish/digests.py dist/python)" >> "$GITHUB_OUTPUT"'
    return JobStep(name="Digests", id="digests", run=say)


def _ci(part: str = "") -> JobStep:
    return JobStep(name="Check and test", run=f"bash .ci/run {part}".strip())
