"""The definition of the files that projen generates: `make generate` writes them.

It needs no network. The packages for development are pinned in requirements/dev.txt, which `make lock` writes.
"""

import os

# Otherwise projen installs after it has written, and removes everything from .venv that is not in pyproject.toml.
os.environ["PROJEN_DISABLE_POST"] = "true"

from projenrc.checks import checks
from projenrc.community import community
from projenrc.package import package
from projenrc.workflows import workflows

project = package()  # pyproject.toml: metadata, dependencies, files of a release
checks(project)  # pyproject.toml: linter, types, tests, layers
workflows(project)  # .github/workflows: build, release, upgrade
community(project)  # .github: forms and template; SECURITY.md

# Files that tools or others wrote: a code host leaves them out of diffs and languages.
for generated in (
    "/API.md",
    "/docs/pictures/**",
    "/requirements/*.txt",
    "/tests/**/__snapshots__/**",
    "/tests/released/*.json",
    "/tests/providers/vectors.json",
):
    project.gitattributes.add_attributes(generated, "linguist-generated")
for vendored in (
    "/src/webhook_runtime/sinks/*.pem",
    "/src/webhook_runtime/contract/rds-classes.json",
    "/tests/recorded/facts.json",
):
    project.gitattributes.add_attributes(vendored, "linguist-vendored")

project.gitignore.exclude(
    ".venv/",
    ".venv-bench/",
    ".venv-build/",
    "build/",
    "cdk.out/",
    "uv.lock",
    "node_modules/",
    ".hypothesis/",
    ".import_linter_cache/",
)
project.synth()
