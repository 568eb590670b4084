"""``scalable-webhook url``: look at what is deployed."""

from scalable_webhook_cli.commands import options
from scalable_webhook_cli.commands.options import Json, Name, Profile, Region
from scalable_webhook_cli.terminal import in_one_sentence, say, say_json


@in_one_sentence
def url(name: Name = None, profile: Profile = None, region: Region = None, as_json: Json = False) -> None:
    """Print the URL of a webhook, to call or to give to a provider.

    It only reads. In a script: `$(scalable-webhook url)`
    """
    endpoint = options.endpoint(name, profile, region)
    if as_json:
        say_json({"name": endpoint.name, "url": endpoint.url})
    else:
        say(endpoint.url)
