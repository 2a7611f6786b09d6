"""Neural topic models: topics of documents by a network, a drop-in replacement of SageMaker's built-in NTM."""
