"""Training on a graphics processor: all speech resident there, distorted, turned into features and learnt from there."""
