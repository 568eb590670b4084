"""What synth time tells run time: every environment variable that this code reads, in one place."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True)
class PublisherSettings:
    queue_url: str
    delivery_id_header: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(
            queue_url=environment["WEBHOOK_QUEUE_URL"],
            delivery_id_header=environment.get("WEBHOOK_DELIVERY_ID_HEADER"),
        )


@dataclass(frozen=True)
class ConsumerSettings:
    dead_letter_queue_url: str | None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(dead_letter_queue_url=environment.get("WEBHOOK_DEAD_LETTER_QUEUE_URL"))


@dataclass(frozen=True)
class DynamoDBSettings:
    table_name: str

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        return cls(table_name=environment["WEBHOOK_TABLE_NAME"])
