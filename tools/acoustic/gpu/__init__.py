"""Training on a graphics processor: all speech lies there, is distorted, made into features and learnt from there."""
