import sysconfig
import venv
from pathlib import Path

import pytest

from .. import apps
from ..suite import shared


@pytest.fixture(scope="session")
def installed() -> Path:
    """Return the Python of an environment with the wheel and its dependencies, but without this repository."""
    return Path(shared.once("installed", _install))


def _install() -> str:
    folder = shared.folder() / "installed" / "venv"
    venv.create(folder, symlinks=True, with_pip=False)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    apps.install(site_packages)
    # Python ignores the .pth files in that folder, and thereby the editable installation.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(folder / "bin" / "python")
