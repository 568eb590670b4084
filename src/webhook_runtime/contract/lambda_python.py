"""The Python that functions run on in Lambda."""

from collections.abc import Mapping

# What an environment marker of a requirement sees there: see function.py.
# https://packaging.python.org/en/latest/specifications/dependency-specifiers/#environment-markers
MARKERS: Mapping[str, str] = {
    "implementation_name": "cpython",
    "implementation_version": "3.14.0",
    "os_name": "posix",
    "platform_machine": "aarch64",
    "platform_python_implementation": "CPython",
    "platform_release": "",
    "platform_system": "Linux",
    "platform_version": "",
    "python_full_version": "3.14.0",
    "python_version": "3.14",
    "sys_platform": "linux",
}

# The distributions that it has: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
PACKAGES = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
