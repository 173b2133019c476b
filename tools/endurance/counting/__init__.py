"""Counts the instructions of the recogniser on an emulated processor of the devices' own architecture."""
