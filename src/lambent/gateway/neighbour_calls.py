"""What a request to a neighbour does, as far as its head tells: for the audit trail. Pure."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl

from lambent.protocol.wire import WireRequest
from lambent.services.s3.addressing import address

_OPERATION = re.compile(r"[A-Z][A-Za-z0-9]{0,63}")

_OF_OBJECT = {"GET": "GetObject", "HEAD": "HeadObject", "PUT": "PutObject", "DELETE": "DeleteObject"}
_OF_BUCKET = {"GET": "ListObjects", "HEAD": "HeadBucket", "PUT": "CreateBucket", "DELETE": "DeleteBucket"}
_VERBS = {"GET": "Get", "PUT": "Put", "DELETE": "Delete"}
_SUBRESOURCES = {
    "accelerate": "BucketAccelerateConfiguration",
    "acl": "BucketAcl",
    "cors": "BucketCors",
    "encryption": "BucketEncryption",
    "lifecycle": "BucketLifecycleConfiguration",
    "location": "BucketLocation",
    "logging": "BucketLogging",
    "notification": "BucketNotification",
    "object-lock": "ObjectLockConfiguration",
    "ownershipControls": "BucketOwnershipControls",
    "policy": "BucketPolicy",
    "policyStatus": "BucketPolicyStatus",
    "publicAccessBlock": "PublicAccessBlock",
    "replication": "BucketReplication",
    "requestPayment": "BucketRequestPayment",
    "tagging": "BucketTagging",
    "versioning": "BucketVersioning",
    "website": "BucketWebsite",
}
"""Documented: Amazon S3 API reference, the parameter by which each is asked for."""


def neighbour_call(service: str, request: WireRequest) -> tuple[str, Mapping[str, Any] | None]:
    """
    Return the operation that a request asks for, empty where nothing tells, and what is known of its parameters.

    Bodies are not looked at: they go through as they come.
    """
    if service == "s3":
        return _of_s3(request)
    named = request.headers.get("x-amz-target", "").rpartition(".")[2]
    if not named:
        # Of the protocols whose parameters may be a query. What is in a form is not read.
        named = dict(parse_qsl(request.query[:4096])).get("Action", "")
    return (named if _OPERATION.fullmatch(named) else ""), None


def _of_s3(request: WireRequest) -> tuple[str, Mapping[str, Any]]:
    where = address(request.headers.get("host", ""), request.path)
    query = dict(parse_qsl(request.query[:4096], keep_blank_values=True))
    method = request.method
    if where.bucket is None:
        return ("ListBuckets" if method == "GET" else ""), {}
    if where.key is not None:
        parameters = {"bucketName": where.bucket, "key": where.key}
        return _of_object(method, query, request.headers), parameters
    parameters = {"bucketName": where.bucket}
    for name, noun in _SUBRESOURCES.items():
        if name in query and method in _VERBS:
            return _VERBS[method] + noun, parameters
    if method == "GET" and "uploads" in query:
        return "ListMultipartUploads", parameters
    if method == "POST":
        return ("DeleteObjects" if "delete" in query else "PostObject"), parameters
    return _OF_BUCKET.get(method, ""), parameters


def _of_object(method: str, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    if "tagging" in query or "acl" in query:
        return _VERBS.get(method, "") + ("ObjectTagging" if "tagging" in query else "ObjectAcl")
    if method == "POST":
        return "CreateMultipartUpload" if "uploads" in query else "CompleteMultipartUpload"
    if "uploadId" in query:
        return {"GET": "ListParts", "PUT": "UploadPart", "DELETE": "AbortMultipartUpload"}.get(method, "")
    if method == "PUT" and "x-amz-copy-source" in headers:
        return "CopyObject"
    return _OF_OBJECT.get(method, "")
