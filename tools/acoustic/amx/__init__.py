"""The training's blocks on processors that multiply bfloat16: AMX, or AVX-512's products."""
