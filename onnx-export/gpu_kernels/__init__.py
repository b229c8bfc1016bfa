"""Kernels of ours for GPUs: the attention of injected layers, compiled ahead of time."""
