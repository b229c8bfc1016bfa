"""Exports a Stable Diffusion checkpoint as split ONNX graphs and their contract, `model.json`."""

__version__ = "0.1.0"
