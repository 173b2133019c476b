"""How long a device lasts on a battery, and how far its own forecast of that is off."""
