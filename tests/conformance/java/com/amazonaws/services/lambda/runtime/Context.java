package com.amazonaws.services.lambda.runtime;

/** As much of the published interface as the functions here use, which bring it as packages do. */
public interface Context {
    String getAwsRequestId();

    String getLogGroupName();

    String getLogStreamName();

    String getFunctionName();

    String getFunctionVersion();

    String getInvokedFunctionArn();

    CognitoIdentity getIdentity();

    ClientContext getClientContext();

    int getRemainingTimeInMillis();

    int getMemoryLimitInMB();

    LambdaLogger getLogger();

    default String getTenantId() {
        return null;
    }

    /** One that no client knows. */
    default String getOfLater() {
        return "of later";
    }
}
