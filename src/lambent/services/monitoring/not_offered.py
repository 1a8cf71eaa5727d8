"""
Operations of the CloudWatch API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "alarms of logs, mute rules and contributors are not planned": (
        "DeleteAlarmMuteRule DescribeAlarmContributors GetAlarmMuteRule ListAlarmMuteRules PutAlarmMuteRule PutLogAlarm"
    ),
    "anomaly detection is not planned": "DeleteAnomalyDetector DescribeAnomalyDetectors PutAnomalyDetector",
    "Contributor Insights is not planned": (
        "DeleteInsightRules DescribeInsightRules DisableInsightRules EnableInsightRules GetInsightRuleReport "
        "ListManagedInsightRules PutInsightRule PutManagedInsightRules"
    ),
    "metric streams are not planned; Prometheus and OpenTelemetry take the metrics away": (
        "DeleteMetricStream GetMetricStream ListMetricStreams PutMetricStream StartMetricStreams StopMetricStreams"
    ),
    "pictures of metrics are not planned": "GetMetricWidgetImage",
    "keys of datasets, resource metrics and enrichment are not planned": (
        "AssociateDatasetKmsKey CreateResourceMetricsConfiguration DeleteResourceMetricsConfiguration "
        "DisassociateDatasetKmsKey GetDataset GetOTelEnrichment GetResourceMetricsConfiguration StartOTelEnrichment "
        "StopOTelEnrichment UpdateOTelEnrichment UpdateResourceMetricsConfiguration"
    ),
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
