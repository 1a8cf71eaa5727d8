"""
Operations of the API Gateway v2 API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_REASONS = {
    "it is for WebSocket APIs, which come with a later version": (
        "CreateIntegrationResponse CreateModel CreateRouteResponse DeleteIntegrationResponse DeleteModel "
        "DeleteRouteRequestParameter DeleteRouteResponse GetIntegrationResponse GetIntegrationResponses GetModel "
        "GetModelTemplate GetModels GetRouteResponse GetRouteResponses UpdateIntegrationResponse UpdateModel "
        "UpdateRouteResponse"
    ),
    "VPC links are not planned: there is no VPC": ("CreateVpcLink DeleteVpcLink GetVpcLink GetVpcLinks UpdateVpcLink"),
    "routing rules come with a later version; API mappings are offered": (
        "CreateRoutingRule DeleteRoutingRule GetRoutingRule ListRoutingRules PutRoutingRule"
    ),
    "developer portals are not planned": (
        "CreatePortal CreatePortalProduct CreateProductPage CreateProductRestEndpointPage DeletePortal "
        "DeletePortalProduct DeletePortalProductSharingPolicy DeleteProductPage DeleteProductRestEndpointPage "
        "DisablePortal GetPortal GetPortalProduct GetPortalProductSharingPolicy GetProductPage "
        "GetProductRestEndpointPage ListPortalProducts ListPortals ListProductPages ListProductRestEndpointPages "
        "PreviewPortal PublishPortal PutPortalProductSharingPolicy UpdatePortal UpdatePortalProduct "
        "UpdateProductPage UpdateProductRestEndpointPage"
    ),
}

NOT_OFFERED = {operation: reason for reason, operations in _REASONS.items() for operation in operations.split()}
"""Operation to the reason."""
