"""What is known of the broker at the other end: what it takes, why it refuses, whether its connections last."""
