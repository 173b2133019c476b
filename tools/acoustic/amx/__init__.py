"""The training's blocks on processors with AMX."""
