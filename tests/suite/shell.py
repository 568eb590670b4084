"""The tests do the same in anyone's shell: of its variables they see what a machine needs, and no preferences."""

import os
import signal
import sys
from pathlib import Path

_KEPT = {
    *("HOME", "LD_LIBRARY_PATH", "LOGNAME", "PATH", "TMPDIR", "TZ", "USER", "XDG_CACHE_HOME"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy"),
    *("CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_DIR", "SSL_CERT_FILE"),
    # What someone asks of the tests themselves.
    *("FAULTS_SEED", "FUZZ_EXAMPLES"),
}
# Where packages come from, and what pytest tells its workers.
_KEPT_PREFIXES = ("NPM_CONFIG_", "OPENBLAS_", "PIP_", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_", "UV_", "npm_config_")
_SET = {
    "LANG": "C.UTF-8",
    # The CDK's own validator takes half of a synth's time. Its report is looked at in synth/test_validation.py alone.
    "CDK_VALIDATION": "false",
    # A deprecated call of ours would be a warning in every user's synth.
    "JSII_DEPRECATED": "fail",
}


def ignore_no_signal() -> None:
    """For a process that is sent one: whoever is started by `nohup`, or in the background, ignores some."""
    for each in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(each, signal.SIG_DFL)


def forget() -> None:
    """Before anything is imported that reads a variable."""
    for name in list(os.environ):
        if name not in _KEPT and not name.startswith(_KEPT_PREFIXES):
            del os.environ[name]
    # The Node and the CDK of this environment, and not others that happen to be there.
    programs = [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)]
    os.environ.update(_SET, PATH=os.pathsep.join(programs))
