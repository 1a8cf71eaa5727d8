"""
What becomes of each input member and each error of the X-Ray API's model: the rows of `lambent conformance`.

A member that comes to act moves to `acting`, and a test with a real client is to send it.
"""

from lambent.services.conformance.judgement import Judgements

_GROUP = "GroupName GroupARN"
_TAGS = "Tags[].Key Tags[].Value"
_RULE = (
    "RuleName RuleARN ResourceARN Priority FixedRate ReservoirSize ServiceName ServiceType Host HTTPMethod URLPath "
    "Attributes"
)
_NEW_RULE = " ".join(f"SamplingRule.{member}" for member in [*_RULE.split(), "Version"] if member != "RuleARN")
_REPORT = " ".join(
    f"SamplingStatisticsDocuments[].{member}"
    for member in ("RuleName", "ClientID", "RequestCount", "SampledCount", "BorrowCount")
)
_WHOLE = (
    "GetGroups GetInsightSummaries GetSamplingRules GetSamplingStatisticSummaries GetServiceGraph "
    "GetTimeSeriesServiceStatistics GetTraceGraph ListTagsForResource"
)

JUDGEMENTS = Judgements(
    acting={
        "BatchGetTraces": "TraceIds NextToken",
        "CreateGroup": f"GroupName FilterExpression {_TAGS}",
        "CreateSamplingRule": f"{_NEW_RULE} {_TAGS}",
        "DeleteGroup": _GROUP,
        "DeleteSamplingRule": "RuleName RuleARN",
        "GetEncryptionConfig": "",
        "GetGroup": _GROUP,
        "GetGroups": "",
        "GetInsightSummaries": f"{_GROUP} StartTime EndTime",
        "GetSamplingRules": "",
        "GetSamplingStatisticSummaries": "",
        "GetSamplingTargets": _REPORT,
        "GetServiceGraph": f"StartTime EndTime {_GROUP}",
        "GetTimeSeriesServiceStatistics": f"StartTime EndTime {_GROUP} EntitySelectorExpression Period",
        "GetTraceGraph": "TraceIds",
        "GetTraceSegmentDestination": "",
        "GetTraceSummaries": "StartTime EndTime TimeRangeType FilterExpression NextToken",
        "ListTagsForResource": "ResourceARN",
        "PutEncryptionConfig": "Type",
        "PutTelemetryRecords": "",
        "PutTraceSegments": "TraceSegmentDocuments",
        "TagResource": f"ResourceARN {_TAGS}",
        "UntagResource": "ResourceARN TagKeys",
        "UpdateGroup": f"{_GROUP} FilterExpression",
        "UpdateSamplingRule": " ".join(f"SamplingRuleUpdate.{member}" for member in _RULE.split()),
    },
    remarks={
        "TraceIds": "a hundred at most, where AWS takes five",
        "FilterExpression": "terms about root causes are refused by name",
        "SamplingRule.ResourceARN": "kept and shown, as on AWS: clients know none but `*`",
        "SamplingRuleUpdate.ResourceARN": "kept and shown, as on AWS: clients know none but `*`",
    },
    echoed={
        "InsightsConfiguration": "nothing here looks for insights",
        "SamplingRule.SamplingRateBoost": "clients that know it act on it; no boost is ever granted",
        "SamplingRuleUpdate.SamplingRateBoost": "clients that know it act on it; no boost is ever granted",
    },
    taken={
        "SamplingStatisticsDocuments[].Timestamp": "what is reported counts when it comes",
        "SamplingBoostStatisticsDocuments": "no boost is ever granted",
        "Sampling": "every trace is looked at",
        "SamplingStrategy": "every trace is looked at",
        "ForecastStatistics": "nothing is forecast",
        "States": "there are no insights",
        "MaxResults": "there are no insights",
        "TelemetryRecords": "they are for AWS, which shows them nowhere",
        "EC2InstanceId": "it says whose the records are",
        "Hostname": "it says whose the records are",
        "PutTelemetryRecords:ResourceARN": "it says whose the records are",
    },
    refused={
        "KeyId": "traces are not encrypted with keys",
        "SamplingRule.RuleARN": "a rule that is not there yet has none",
        **{f"{operation}:NextToken": "the answer is whole: no token is ever given" for operation in _WHOLE.split()},
    },
    given=("InvalidRequestException ResourceNotFoundException RuleLimitExceededException TooManyTagsException"),
    never={
        "a full server answers TooManyRequestsException, as for every service": "ThrottledException",
        "no operation that is offered has it": (
            "InvalidPolicyRevisionIdException LockoutPreventionException MalformedPolicyDocumentException "
            "PolicyCountLimitExceededException PolicySizeLimitExceededException"
        ),
    },
    shown_otherwise={},
)
