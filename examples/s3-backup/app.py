"""Copies each new object of a bucket to another one: the classic first example of a trigger."""

import os
from urllib.parse import unquote_plus

import boto3

s3 = boto3.client("s3")


def handler(event, context):
    for record in event["Records"]:
        bucket = record["s3"]["bucket"]["name"]
        key = unquote_plus(record["s3"]["object"]["key"])  # Events encode keys as forms do.
        s3.copy_object(Bucket=os.environ["BACKUP_BUCKET"], Key=key, CopySource={"Bucket": bucket, "Key": key})
        print(f"copied {bucket}/{key}")
