"""
Operations of the CloudTrail API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "there is one trail, which the server keeps in its data folder (--trail)": (
        "CreateTrail DeleteTrail DescribeTrails GetEventConfiguration GetEventSelectors GetTrail GetTrailStatus "
        "ListTrails PutEventConfiguration PutEventSelectors StartLogging StopLogging UpdateTrail"
    ),
    "files of the trail are not signed": "ListPublicKeys",
    "CloudTrail Lake is not planned": (
        "CancelQuery CreateChannel CreateDashboard CreateEventDataStore DeleteChannel DeleteDashboard "
        "DeleteEventDataStore DescribeQuery DisableFederation EnableFederation GenerateQuery GetChannel GetDashboard "
        "GetEventDataStore GetImport GetQueryResults ListChannels ListDashboards ListEventDataStores "
        "ListImportFailures ListImports ListQueries RestoreEventDataStore SearchSampleQueries StartDashboardRefresh "
        "StartEventDataStoreIngestion StartImport StartQuery StopEventDataStoreIngestion StopImport UpdateChannel "
        "UpdateDashboard UpdateEventDataStore"
    ),
    "Insights are not planned": ("GetInsightSelectors ListInsightsData ListInsightsMetricData PutInsightSelectors"),
    "there is nothing here that could have tags or a policy": (
        "AddTags DeleteResourcePolicy GetResourcePolicy ListTags PutResourcePolicy RemoveTags"
    ),
    "there are no organizations here": "DeregisterOrganizationDelegatedAdmin RegisterOrganizationDelegatedAdmin",
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
