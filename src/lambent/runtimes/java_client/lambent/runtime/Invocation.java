package lambent.runtime;

/** What the Runtime API hands out; what it did not send is null. */
record Invocation(
        String requestId,
        String functionArn,
        long deadlineMs,
        String traceId,
        String clientContext,
        String identity,
        String tenantId,
        byte[] event) {
}
