"""Other recognisers, measured beside edgeasr on the same recordings; each is optional."""
