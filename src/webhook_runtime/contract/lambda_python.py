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

# Its packages, with versions that are a year older than it: it has these or newer ones.
# https://docs.aws.amazon.com/lambda/latest/dg/lambda-python.html
PACKAGES: Mapping[str, str] = {
    "boto3": "1.35",
    "botocore": "1.35",
    "jmespath": "1.0",
    "python-dateutil": "2.8.2",
    "s3transfer": "0.10",
    "six": "1.16",
    "urllib3": "1.26",
}
