"""edgeasr: streaming English speech recognition on the device, published over MQTT."""

__version__ = "0.1.0"
