"""The package on the device's own architecture: installed into an emulated Debian, and its words compared."""
