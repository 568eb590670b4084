"""What runs in Lambda: the standard library and boto3, nothing else, and never aws_cdk."""
