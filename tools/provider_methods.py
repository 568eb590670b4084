"""Write the methods of the providers below their records; with --check, fail if they are stale."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from textwrap import fill, indent

from cdk_scalable_webhook.sources import providers
from webhook_runtime.contract.providers import PROVIDERS, Provider

TARGET = Path(providers.__file__)
MARK = "# Generated from here on: run `make generate`.\n"
CLASS = '''

@typed
class Providers(_Made):
    """The methods of ``Source``, one for each provider."""
'''
SECRETS = "secretsmanager.ISecret | secretsmanager.Secret"
WIDTH = 120 - len("        ")


def written() -> str:
    """Return the module with fresh methods."""
    records, mark, _ = TARGET.read_text().partition(MARK)
    methods = [method(provider) for provider in PROVIDERS if not provider.takes_more]
    text = records + mark + CLASS + "".join(indent(each, "    ") for each in methods)
    command = [sys.executable, "-m", "ruff", "format", "--stdin-filename", str(TARGET), "-"]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout


def method(provider: Provider) -> str:
    """Return the source of a provider's method, not indented."""
    timed = provider.signs_time
    told = indent("\n".join(docstring(provider)), "    ").strip()
    return f'''
@classmethod
def {provider.method}(
    cls, secret: {SECRETS}, *, secret_field: str | None = None{", tolerance: Duration | None = None" if timed else ""}
) -> Self:
    """{told}
    """
    return cls._of("{provider.method}", secret, secret_field{", tolerance" if timed else ""})
'''


def docstring(provider: Provider) -> Iterator[str]:
    """Yield the lines of the docstring."""
    id = f", and {provider.what_is_unique} as the delivery's id" if provider.id_of_delivery else ""
    paragraphs = [f"{provider.name}: {provider.what_is_signed}{id}. {provider.says}", *provider.more.split("\n\n")]
    if provider.id_of_delivery is None:
        paragraphs.insert(1, f"Each request is its own delivery: {provider.what_is_unique}.")
    for paragraph in paragraphs:
        if paragraph.strip():
            first = "   " if paragraph is paragraphs[0] else ""  # room for the quotes
            yield fill(paragraph, WIDTH, initial_indent=first, break_long_words=False, break_on_hyphens=False)
            yield ""
    yield "Args:"
    yield argument("secret", f"{provider.signs_with}.")
    yield argument("secret_field", "Its key, up to 256 characters, if the secret is JSON. Default: plain text.")
    if provider.signs_time:
        how_far = "How far the signature's timestamp may be from the time of arrival, 1 second to 1 day."
        yield argument("tolerance", f"{how_far} Default: {provider.minutes:g} minutes.")
    where = " with a Lambda integration" if provider.takes_code else ""
    yield from ("", "Returns:", argument("", f"The source, for ``ScalableWebhook(source=…)``{where}."))
    limits = "``tolerance`` or ``secret_field`` is out of its limits."
    too_long = "``secret_field`` is too long or not printable."
    yield from ("", "Raises:", argument("ValueError", limits if provider.signs_time else too_long))
    yield from ("", f"See: {provider.documentation}")


def argument(name: str, text: str) -> str:
    told = f"{name}: {text}" if name else text
    return fill(told, WIDTH, initial_indent="    ", subsequent_indent="        ", break_long_words=False)


if __name__ == "__main__":
    fresh = written()
    if "--check" in sys.argv and TARGET.read_text() != fresh:
        sys.exit("the methods of the providers differ from their records: run make generate")
    TARGET.write_text(fresh)
    print("the methods of the providers are fresh")
