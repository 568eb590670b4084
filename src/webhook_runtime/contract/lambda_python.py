"""The Python of Lambda."""

from collections.abc import Mapping

# The values that environment markers of requirements have there, see function.py.
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

# Its packages: https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
PACKAGES = frozenset({"boto3", "botocore", "jmespath", "python-dateutil", "s3transfer", "six", "urllib3"})
