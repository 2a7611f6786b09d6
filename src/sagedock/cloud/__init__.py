"""AWS: images pushed to ECR, and job documents run on SageMaker."""
