"""What the code host runs: the checks of each change, a release, and newer versions of what development needs.

A release is a tag: `make release VERSION=…` has written version, changelog and snapshot before. projen's own release
makes versions up from commit messages, and bumps them where no test sees it, so it is not used (decisions/0017).
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

# By commit, since a tag can be moved; projen pins the others so by itself.
SETUP_PYTHON = "actions/setup-python@5fda3b95a4ea91299a34e894583c3862153e4b97"  # v7.0.0
RUNNER = ["ubuntu-24.04"]
READS = JobPermissions(contents=JobPermission.READ)
# All parts one after the other take half an hour; the other hour is for a slow machine.
MINUTES = 90
# What the files of a release are, as one job tells it to another.
DIGESTS = {"digests": JobStepOutput(step_id="digests", output_name="digests")}
BUILT_AND_TESTED = {"BUILT": "${{ needs.build.outputs.digests }}", "TESTED": "${{ needs.test.outputs.digests }}"}
# Those of .ci/run, which run side by side where a change is looked at.
PARTS = ["check", "test-all", "release-check", "bench"]


def workflows(project: PythonProject) -> None:
    """Every workflow of the code host."""
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
    """A tag `v1.2.3` becomes release 1.2.3, by trusted publishing: no password of the registry is kept anywhere.

    What is published is built where nothing has run but the build backend, and has to be, byte for byte, what was
    tested among all that development needs. What may publish has run neither (decisions/0021).
    """
    release = _workflow(github, "release", limit_concurrency=True)
    release.on(push=PushOptions(tags=["v*"]))
    release.add_job(
        "test",
        Job(
            runs_on=RUNNER,
            permissions=READS,
            timeout_minutes=MINUTES,
            # The last of them is `python3`; the other is for the check of the newest.
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
                    name="Hold the tag to version and changelog",
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
            # Python and Node are the runner's own: a job that sets them up fetches whichever is the newest.
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
            name="Hold PyPI to what was built",
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
                # Written here: an artifact can be replaced by any job, and no digest is known of a text.
                JobStep(
                    name="Write what the page says",
                    env={"TAG": "${{ github.ref_name }}"},
                    run='python3 tools/release.py --tag "$TAG" --notes notes.md',
                ),
                JobStep(
                    name="Hold the files to what was built and tested",
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
    """Once a week: newer versions, tried by all tests, as a pull request.

    Where a newer projen changes a workflow itself, the push is refused, since no workflow's token may: then a person
    does the same by hand.
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
                # A pull request that a workflow opens starts none: what would fail in it has to fail here.
                _ci(),
                JobStep(name="Difference", run="mkdir dist && git diff --binary > dist/upgrade.patch"),
                WorkflowSteps.upload_artifact(with_=UploadArtifactWith(name="dist", path="dist")),
            ],
        ),
    )
    upgrade.add_job(
        "propose",
        # What may write has run nothing of what was just downloaded.
        Job(
            name="Open a pull request",
            needs=["upgrade"],
            runs_on=RUNNER,
            permissions=JobPermissions(contents=JobPermission.WRITE, pull_requests=JobPermission.WRITE),
            steps=[
                _checkout(),
                _download(),
                JobStep(
                    name="Open it, or renew the one that is open",
                    env={"GH_TOKEN": "${{ github.token }}"},
                    run="\n".join(
                        [
                            "[ -s dist/upgrade.patch ] || exit 0",
                            "git apply --index dist/upgrade.patch",
                            'git config user.name "github-actions[bot]"',
                            'git config user.email "github-actions[bot]@users.noreply.github.com"',
                            'git commit --message "Newer versions of what development needs"',
                            "gh auth setup-git",
                            "git push --force origin HEAD:refs/heads/upgrade",
                            "gh pr view upgrade --json state --jq .state | grep --quiet OPEN ||",
                            '  gh pr create --head upgrade --fill --body "By make lock, and tried by .ci/run."',
                        ]
                    ),
                ),
            ],
        ),
    )


def _workflow(github: GitHub, name: str, *, limit_concurrency: bool = False) -> GithubWorkflow:
    """One that may do nothing but what each of its jobs says."""
    workflow = GithubWorkflow(github, name, limit_concurrency=limit_concurrency)
    assert workflow.file
    # An override that is empty would be left out. Moved, the jobs come last again.
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
    """A job's output is out of reach of every other job, which an artifact is not."""
    say = 'echo "digests=$(python3 tools/publish/digests.py dist/python)" >> "$GITHUB_OUTPUT"'
    return JobStep(name="Digests", id="digests", run=say)


def _ci(part: str = "") -> JobStep:
    return JobStep(name="Check and test", run=f"bash .ci/run {part}".strip())
