"""The function behind ``Ingress.lambda_integration()``."""

from webhook_runtime import logs
from webhook_runtime.publisher import Publisher

logs.configure()
handler = Publisher.from_environment().handle
