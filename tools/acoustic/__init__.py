"""Acoustic model: data, augmentation, network, training, quantisation."""
