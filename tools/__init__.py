"""From data to a model bundle; runs on a workstation, never on the device."""
