"""What every backend promises, one module per verb or subject, run against each store that sitq has."""
