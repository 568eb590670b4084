"""How a message becomes a row: queue, consumer, sink."""
