"""Code that runs in AWS Lambda: one file a function, Python's own library and boto3 only."""
