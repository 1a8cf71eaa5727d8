/* One invocation after the other: from the event to the answer, by whichever way the handler gives one. */
'use strict';

const { JSONStringifyError, bodyOf } = require('./errors.cjs');
const { highWaterMarkOf, isStreaming } = require('./streaming.cjs');

const HEADER = 'lambda-runtime-';

/** Serves the events of one environment. Its name, and that of its `handler`, are what traces show. */
class Runtime {
  constructor(api, logs, takesCallbacks) {
    this._api = api;
    this._logs = logs;
    this._takesCallbacks = takesCallbacks;
    this.handler = undefined;
    /** The id of the invocation that waits for its answer. */
    this._unanswered = undefined;
    /** Its response, where the handler streams. */
    this._response = undefined;
    this._streams = false;
    this._hasBegun = false;
    this._isEnding = false;
    this._posting = Promise.resolve();
    /** What to do once the event loop has nothing left to do. */
    this._whenEmpty = undefined;
    process.on('beforeExit', () => {
      const act = this._whenEmpty;
      this._whenEmpty = undefined;
      act?.();
    });
  }

  /** Ask for the next event, in a turn of its own: what the function has in mind for the end of this one comes first. */
  goOn() {
    if (!this._hasBegun) {
      this._hasBegun = true;
      this._streams = isStreaming(this.handler);
      this._api.highWaterMark = highWaterMarkOf(this.handler);
    }
    setImmediate(() => {
      this._serve().catch((error) => {
        this._logs.failure('Uncaught Exception', error);
        this.end(error, 129);
      });
    });
  }

  /** Report an error that no handler has dealt with, to whom it concerns, and end the process. */
  end(error, status) {
    if (this._isEnding) {
      return;
    }
    this._isEnding = true;
    this._whenEmpty = undefined;
    let posting = this._posting;
    if (!this._hasBegun) {
      posting = this._api.failInit(bodyOf(error));
    } else if (this._response !== undefined) {
      // It has the connection, so this is how it can be told.
      this._response.fail(bodyOf(error));
      posting = this._response.answered;
    } else if (this._unanswered !== undefined) {
      posting = this._api.fail(this._unanswered, bodyOf(error));
    }
    const leave = () => process.exit(status);
    posting.then(leave, leave);
  }

  async _serve() {
    const { headers, body } = await this._api.next();
    const invocation = new Invocation(headers);
    this._logs.requestId = invocation.id;
    this._logs.tenantId = headers[`${HEADER}aws-tenant-id`];
    if (headers[`${HEADER}trace-id`] === undefined) {
      delete process.env._X_AMZN_TRACE_ID;
    } else {
      process.env._X_AMZN_TRACE_ID = headers[`${HEADER}trace-id`];
    }
    this._unanswered = invocation.id;
    if (this._streams) {
      await this._stream(invocation, body);
    } else if (this._takesCallbacks) {
      this._callBack(invocation, body);
    } else {
      await this._await(invocation, body);
    }
  }

  /** What the handler writes is the answer, its end included: a stream that is never ended is waited for. */
  async _stream(invocation, body) {
    const response = this._api.stream(invocation.id);
    this._response = response;
    let waits = this._takesCallbacks;
    try {
      const context = invocation.context();
      if (this._takesCallbacks) {
        Object.defineProperty(context, 'callbackWaitsForEmptyEventLoop', {
          enumerable: true,
          get: () => waits,
          set: (value) => {
            waits = value;
          },
        });
      }
      const result = this.handler(JSON.parse(body), response.stream, context);
      if (typeof result?.then !== 'function') {
        const message = 'Streaming does not support non-async handlers.';
        throw this._takesCallbacks ? message : new Error(message);
      }
      if ((await result) !== undefined) {
        console.warn('Streaming handlers ignore return values.');
      }
      await response.answered;
      if (!response.stream.writableFinished) {
        const message = 'Response stream is not finished.';
        throw this._takesCallbacks ? message : new Error(message);
      }
    } catch (error) {
      this._logs.failure('Invoke Error', error);
      response.fail(bodyOf(error));
      await response.answered.catch(() => {});
      if (response.isCutOff) {
        // By the handler, or by a pipeline whose source failed: its own connection cannot tell of the error any more.
        await this._api.fail(invocation.id, bodyOf(error)).catch(() => {});
      }
    }
    this._unanswered = this._response = undefined;
    if (this._isEnding) {
      return;
    }
    if (waits) {
      // As with callbacks: what the function has left to do belongs to this invocation.
      this._whenEmpty = () => this.goOn();
    } else {
      this.goOn();
    }
  }

  /** As from nodejs24.x on: what the handler returns, or what that promise comes to, is the answer. */
  async _await(invocation, body) {
    let result;
    try {
      result = await this.handler(JSON.parse(body), invocation.context());
    } catch (error) {
      this._fail(invocation.id, error);
      return;
    }
    this._succeed(invocation.id, result);
  }

  /**
   * As up to nodejs22.x: a promise is the answer as soon as it is settled, what the callback was given once the event
   * loop is empty, unless the function does not want to wait. With neither, the answer is null.
   */
  _callBack(invocation, body) {
    const { id } = invocation;
    let waits = true;
    let hasCalledBack = false;
    const done = (error, result) => {
      if (error === undefined || error === null) {
        this._succeed(id, result);
      } else {
        this._fail(id, error);
      }
    };
    const callback = (error, result) => {
      if (hasCalledBack || this._unanswered !== id) {
        return;
      }
      hasCalledBack = true;
      if (waits && (error === undefined || error === null)) {
        this._whenEmpty = () => this._succeed(id, result);
      } else {
        done(error, result);
      }
    };
    this._whenEmpty = () => this._succeed(id, null);
    try {
      const context = Object.defineProperty(invocation.context(), 'callbackWaitsForEmptyEventLoop', {
        enumerable: true,
        get: () => waits,
        set: (value) => {
          waits = value;
        },
      });
      context.succeed = (result) => done(null, result);
      context.fail = (error) => done(error ?? 'handled');
      context.done = done;
      const result = this.handler(JSON.parse(body), context, callback);
      if (typeof result?.then === 'function') {
        result.then(context.succeed, context.fail);
      }
    } catch (error) {
      callback(error);
    }
  }

  _succeed(id, result) {
    if (this._unanswered !== id) {
      return;
    }
    let text;
    try {
      text = JSON.stringify(result === undefined ? null : result) ?? 'null';
    } catch {
      const message = 'Unable to stringify response body';
      this._fail(id, this._takesCallbacks ? new Error(message) : new JSONStringifyError(message));
      return;
    }
    this._answered(this._api.respond(id, text));
  }

  _fail(id, error) {
    if (this._unanswered !== id) {
      return;
    }
    this._logs.failure('Invoke Error', error);
    this._answered(this._api.fail(id, bodyOf(error)));
  }

  _answered(posting) {
    this._unanswered = undefined;
    this._whenEmpty = undefined;
    this._posting = posting;
    posting.then(
      () => {
        // Not while the process is about to end: an event would be lost with it.
        if (!this._isEnding) {
          this.goOn();
        }
      },
      (error) => {
        this._logs.failure('Uncaught Exception', error);
        this.end(error, 129);
      },
    );
  }
}

/** What one event brings along. */
class Invocation {
  constructor(headers) {
    this._headers = headers;
    this.id = headers[`${HEADER}aws-request-id`];
  }

  /** Return the handler's context. Throws where a member that is JSON cannot be read. */
  context() {
    const { env } = process;
    const headers = this._headers;
    const deadline = Number(headers[`${HEADER}deadline-ms`]);
    return {
      functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
      functionName: env.AWS_LAMBDA_FUNCTION_NAME,
      memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
      logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
      logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
      clientContext: this._parsed('client-context', 'ClientContext'),
      identity: this._parsed('cognito-identity', 'CognitoIdentity'),
      invokedFunctionArn: headers[`${HEADER}invoked-function-arn`],
      awsRequestId: this.id,
      tenantId: headers[`${HEADER}aws-tenant-id`],
      getRemainingTimeInMillis: () => deadline - Date.now(),
    };
  }

  _parsed(name, what) {
    const text = this._headers[HEADER + name];
    if (text === undefined) {
      return undefined;
    }
    try {
      // Node.js reads headers byte by byte.
      return JSON.parse(Buffer.from(text, 'latin1').toString('utf8'));
    } catch (error) {
      throw new Error(`Cannot parse ${what} as json: ${error}`);
    }
  }
}

module.exports = { Runtime };
