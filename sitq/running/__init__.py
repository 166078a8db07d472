"""How a worker runs tasks: what stands behind the door `sitq.worker`."""
