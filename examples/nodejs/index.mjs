// Greets, and shows what a function learns about the invocation that it serves.

const started = new Date(); // Runs once in each execution environment.

export const handler = async (event, context) => {
  const name = event.name ?? 'world';
  console.log('about to greet', name); // A line of the function's log, with time, request id and level.
  return {
    greeting: `Hello, ${name}!`,
    function: context.functionName,
    version: context.functionVersion,
    request_id: context.awsRequestId,
    memory_mib: Number(context.memoryLimitInMB),
    time_left_ms: context.getRemainingTimeInMillis(),
    log: `${context.logGroupName} ${context.logStreamName}`,
    node: process.version,
    runtime: process.env.AWS_EXECUTION_ENV,
    environment_since: started.toISOString(),
  };
};
