"""What holds for the store on a NATS server alone: its connection, its trouble, its costs."""
