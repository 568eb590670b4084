"""The messages that are set aside: in the dead-letter queue, or in the unverified queue."""
