"""Publishing to an MQTT broker: rows, the run's state, and events."""
