"""
Operations of the Lambda API that this version does not offer, each with its reason.

A test proves that the handlers and this table together are the service model, no more and no less.
"""

_LATER = {
    "code signing is not planned yet": (
        "CreateCodeSigningConfig DeleteCodeSigningConfig DeleteFunctionCodeSigningConfig GetCodeSigningConfig "
        "ListCodeSigningConfigs ListFunctionsByCodeSigningConfig "
        "PutFunctionCodeSigningConfig UpdateCodeSigningConfig"
    ),
    "managed instances are not planned yet": (
        "CreateCapacityProvider DeleteCapacityProvider GetCapacityProvider GetFunctionScalingConfig "
        "ListCapacityProviders ListFunctionVersionsByCapacityProvider PutFunctionScalingConfig UpdateCapacityProvider"
    ),
    "durable executions are not planned yet": (
        "CheckpointDurableExecution GetDurableExecution GetDurableExecutionHistory GetDurableExecutionState "
        "ListDurableExecutionsByFunction SendDurableExecutionCallbackFailure SendDurableExecutionCallbackHeartbeat "
        "SendDurableExecutionCallbackSuccess StopDurableExecution"
    ),
}

NOT_OFFERED: dict[str, str] = {name: reason for reason, names in _LATER.items() for name in names.split()}
