"""SageMaker-compatible training and serving images for CPU and GPU, with seven algorithms inside."""

__version__ = "0.1.0"
