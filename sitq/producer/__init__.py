"""How calls become tasks and results values again: what stands behind the door `sitq.queue`."""
