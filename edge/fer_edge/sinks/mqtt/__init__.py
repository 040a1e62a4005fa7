"""A sink that publishes rows, the state of the run and events to an MQTT broker."""
