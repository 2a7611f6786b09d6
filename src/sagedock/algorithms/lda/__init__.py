"""Latent Dirichlet Allocation: topics of documents, a drop-in replacement of SageMaker's built-in algorithm."""
