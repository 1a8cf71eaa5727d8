package com.amazonaws.services.lambda.runtime;

public final class LambdaRuntime {
    /** Set by the client, by its name, before the function runs. */
    private static volatile LambdaLogger logger;

    private LambdaRuntime() {
    }

    public static LambdaLogger getLogger() {
        return logger;
    }
}
