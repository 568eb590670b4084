import sysconfig
import venv
from pathlib import Path

import pytest

from .. import apps
from ..suite import shared


@pytest.fixture(scope="session")
def installed() -> Path:
    """The Python of an environment into which the wheel is installed, and what it needs: of this repository it knows
    nothing."""
    return Path(shared.once("installed", _install))


def _install() -> str:
    folder = shared.folder() / "installed" / "venv"
    venv.create(folder, symlinks=True, with_pip=False)
    (site_packages,) = folder.glob("lib/python*/site-packages")
    apps.install(site_packages)
    # The editable installation that is in there is not followed from here.
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return str(folder / "bin" / "python")
