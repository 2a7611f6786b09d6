"""Image classification by residual networks, a drop-in replacement of SageMaker's built-in algorithm."""
