"""SageMaker's part played here: a job document becomes a directory like /opt/ml and a process that works on it."""
