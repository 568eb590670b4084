"""Run the tests independently of the shell: they see the variables that a machine needs, and no preferences."""

import os
import signal
import sys
from pathlib import Path

_KEPT = {
    *("HOME", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "XDG_CACHE_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    # Settings of the tests themselves.
    *("FAULTS_SEED", "FUZZ_EXAMPLES"),
}
# Package sources, and pytest's variables for its workers.
_KEPT_PREFIXES = ("NPM_CONFIG_", "OPENBLAS_", "PIP_", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_", "UV_", "npm_config_")
_SET = {
    "LANG": "C.UTF-8",
    # The CDK's validator takes half of a synth's time. Only synth/test_validation.py needs its report.
    "CDK_VALIDATION": "false",
    # A deprecated call of ours would be a warning in every user's synth.
    "JSII_DEPRECATED": "fail",
}


def ignore_no_signal() -> None:
    """Reset signals: a process started by `nohup` or in the background ignores some."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)


def forget() -> None:
    """Do this before anything is imported that reads a variable."""
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    # The Node and the CDK of this environment come first.
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    os.environ.update(_SET, PATH=os.pathsep.join(programs))
