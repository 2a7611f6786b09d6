"""BlazingText: word vectors and text classification, a drop-in replacement of SageMaker's built-in algorithm."""
