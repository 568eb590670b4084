"""Numbers and names that synth time and run time share."""

# SQS counts body and attributes together.
MAX_MESSAGE_BYTES = 1_048_576

# Messages in progress, and those that wait for a retry.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-queues.html
MAX_IN_FLIGHT = 120_000

# SQS hides a message for at most 12 hours after it was received, and a batch may take 15 minutes of them.
MAX_DELAY_SECONDS = 11 * 3600

# Prefixes in the bucket for large payloads: payloads of queued messages, and payloads that a sink keeps.
QUEUED = "queued/"
STORED = "stored/"

# All names and values of a function's environment together.
MAX_ENVIRONMENT_BYTES = 4096

# Give up an unreachable database well within the function's time. The statement ends first, so that it never still runs
# on the server while the next connection opens.
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 15
SOCKET_SECONDS = 20
