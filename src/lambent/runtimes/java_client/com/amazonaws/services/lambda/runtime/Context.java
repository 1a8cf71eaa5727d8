package com.amazonaws.services.lambda.runtime;

/**
 * The interfaces of aws-lambda-java-core 1.4, for packages that leave them to the runtime (Maven's scope provided).
 *
 * <p>In a jar of their own behind all that the function brings, so that its own come first. Documented: developer guide,
 * Deploy Java Lambda functions; the names and signatures are those of the published library.
 */
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

    default String getXrayTraceId() {
        return null;
    }
}
