"""What SageMaker promises to a container and asks of it; no machine learning, no web framework, no boto3."""
