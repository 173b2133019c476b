"""What the device runs on: sources of power, the meter, the battery's model, the forecast, the policy."""
