"""The first start: a microphone, a broker, a sentence on trial, and the settings that come of it."""
