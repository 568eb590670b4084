"""Numbers and names that synth time and run time have to agree on."""

# SQS counts body and attributes together.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
MAX_MESSAGE_BYTES = 1_048_576

# SQS hides a message for 12 hours at most, counted from when it was received; a batch may take 15 minutes of them.
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ChangeMessageVisibility.html
MAX_DELAY_SECONDS = 11 * 3600

# Prefixes in the bucket for large payloads: those that are on their way, and those that a sink keeps for good.
QUEUED = "queued/"
STORED = "stored/"

# All names and values of a function's environment together.
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
MAX_ENVIRONMENT_BYTES = 4096

# A batch must not use up the function's time waiting for a database that has gone. The server is told to give a
# statement up before the function gives the server up, or it would still be at it while the next connection is opened.
CONNECT_SECONDS = 5
STATEMENT_SECONDS = 15
SOCKET_SECONDS = 20
