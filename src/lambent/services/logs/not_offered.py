"""
Operations of the Logs API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "queries over several groups, schedules and lookup tables are not planned": (
        "CreateLookupTable CreateScheduledQuery DeleteLookupTable DeleteScheduledQuery DescribeLookupTables "
        "GetLogFields GetLogObject GetLookupTable GetScheduledQuery GetScheduledQueryHistory "
        "ListAggregateLogGroupSummaries ListLogGroupsForQuery ListScheduledQueries UpdateLookupTable "
        "UpdateScheduledQuery"
    ),
    "export and import are not planned": (
        "CancelExportTask CancelImportTask CreateExportTask CreateImportTask DescribeExportTasks "
        "DescribeImportTaskBatches DescribeImportTasks"
    ),
    "delivery of other services' logs is not planned": (
        "CreateDelivery DeleteDelivery DeleteDeliveryDestination DeleteDeliveryDestinationPolicy DeleteDeliverySource "
        "DescribeConfigurationTemplates DescribeDeliveries DescribeDeliveryDestinations DescribeDeliverySources "
        "GetDelivery GetDeliveryDestination GetDeliveryDestinationPolicy GetDeliverySource PutDeliveryDestination "
        "PutDeliveryDestinationPolicy PutDeliverySource UpdateDeliveryConfiguration"
    ),
    "cross-account destinations are not planned": (
        "DeleteDestination DescribeDestinations PutDestination PutDestinationPolicy"
    ),
    "anomaly detection is not planned": (
        "CreateLogAnomalyDetector DeleteLogAnomalyDetector GetLogAnomalyDetector ListAnomalies ListLogAnomalyDetectors "
        "UpdateAnomaly UpdateLogAnomalyDetector"
    ),
    "account-wide, data protection and index policies are not planned": (
        "DeleteAccountPolicy DeleteDataProtectionPolicy DeleteIndexPolicy DescribeAccountPolicies DescribeFieldIndexes "
        "DescribeIndexPolicies GetDataProtectionPolicy GetStorageTierPolicy PutAccountPolicy PutDataProtectionPolicy "
        "PutIndexPolicy PutStorageTierPolicy"
    ),
    "transformers are not planned": "DeleteTransformer GetTransformer PutTransformer TestTransformer",
    "integrations with other stores, syslog and bearer tokens are not planned": (
        "AssociateSourceToS3TableIntegration DeleteIntegration DeleteSyslogConfiguration "
        "DisassociateSourceFromS3TableIntegration GetIntegration ListIntegrations ListSourcesForS3TableIntegration "
        "ListSyslogConfigurations PutBearerTokenAuthentication PutIntegration PutSyslogConfiguration"
    ),
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
