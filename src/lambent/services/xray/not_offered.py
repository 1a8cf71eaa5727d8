"""
Operations of the X-Ray API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "nothing here looks for insights": "GetInsight GetInsightEvents GetInsightImpactGraph",
    "all traces are indexed: there is no transaction search": (
        "CancelTraceRetrieval GetIndexingRules GetRetrievedTracesGraph ListRetrievedTraces StartTraceRetrieval "
        "UpdateIndexingRule UpdateTraceSegmentDestination"
    ),
    "other accounts cannot send segments": "DeleteResourcePolicy ListResourcePolicies PutResourcePolicy",
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
