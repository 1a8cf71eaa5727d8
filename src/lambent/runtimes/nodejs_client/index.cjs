/*
 * What runs in the function's Node.js in the place of AWS's /var/runtime/index.mjs: loads the function and serves it.
 *
 * In: the variables that a runtime starts with, events from the Runtime API. Out: answers and framed log records.
 * Node.js 18 and newer, its own modules only. CommonJS, which starts sooner; functions may be either. As .cjs, since this
 * folder is in NODE_PATH as on AWS: `require('errors')` of a function must not find a file of ours.
 *
 * Two generations of AWS's client are followed, by the runtime that was asked for: up to nodejs22.x handlers may take a
 * callback; from nodejs24.x on what a handler returns is the answer.
 * Observed: aws/aws-lambda-nodejs-runtime-interface-client, 3.3.0 and 4.0.2.
 */
'use strict';

const { UnhandledPromiseRejection } = require('./errors.cjs');
const { load } = require('./function.cjs');
const { Logs } = require('./logs.cjs');
const { Runtime } = require('./runtime.cjs');
const { RuntimeApi } = require('./runtime_api.cjs');

const LAST_WITH_CALLBACKS = 22;
const EXIT_OF_REJECTION = 128;
const EXIT_OF_EXCEPTION = 129;

const NO_SDK =
  'This module of the AWS SDK is neither in the package nor in this runtime. Package it; `lambent runtimes install ' +
  'aws-sdk-js` gives the runtime those used most.\n';

async function main() {
  // No address: no function yet. Awaited in either case, so that traces of what fails while it is loaded are the same.
  await (process.env.AWS_LAMBDA_RUNTIME_API !== undefined ? undefined : require('./ahead.cjs').wait());
  // The runtime that was asked for, not `process.version`: another one may stand in for it.
  const identifier = /nodejs(\d+)/.exec(process.env.AWS_EXECUTION_ENV ?? '');
  const takesCallbacks = identifier === null || Number(identifier[1]) <= LAST_WITH_CALLBACKS;
  const logs = new Logs();
  logs.patchConsole();
  const runtime = new Runtime(new RuntimeApi(process.env.AWS_LAMBDA_RUNTIME_API), logs, takesCallbacks);
  process.on('uncaughtException', (error) => {
    logs.failure('Uncaught Exception', error);
    runtime.end(error, EXIT_OF_EXCEPTION);
  });
  process.on('unhandledRejection', (reason, promise) => {
    const error = new UnhandledPromiseRejection(reason, promise);
    logs.failure('Unhandled Promise Rejection', error);
    runtime.end(error, EXIT_OF_REJECTION);
  });
  try {
    runtime.handler = await load(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER, takesCallbacks);
  } catch (error) {
    logs.failure(takesCallbacks ? 'Uncaught Exception' : 'Init Error', error);
    if (/^(Error: )?Cannot find (module|package) '@aws-sdk\//.test(error?.message)) {
      process.stderr.write(NO_SDK);
    }
    runtime.end(error, EXIT_OF_EXCEPTION);
    return;
  }
  runtime.goOn();
}

main();
