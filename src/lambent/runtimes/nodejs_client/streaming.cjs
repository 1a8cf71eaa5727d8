/*
 * Handlers that stream their response: how they are marked, the global `awslambda` that marks them, and the stream that
 * they write to.
 * Observed: aws/aws-lambda-nodejs-runtime-interface-client, 3.3.0 and 4.0.2.
 */
'use strict';

const { InvalidStreamingOperation, MalformedStreamingHandler } = require('./errors.cjs');

const MARK = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
const RESPONSE = 'response';

const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = new Uint8Array(8);

const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';
/** Of an error that travels behind a response; what tells of it, in base64, has to fit among headers. */
const ERROR_MAX_BYTES = 500000;
/** Of its name and of its message where it does not fit: each takes six bytes in JSON at most. */
const CUT_CHARACTERS = 50000;

/** What a handler sees of the request that its response is: the writable stream, and none of HTTP. */
const METHODS = [
  ...['write', 'end', 'destroy', 'cork', 'uncork', 'setContentType'],
  ...['on', 'once', 'off', 'addListener', 'removeListener', 'removeAllListeners', 'prependListener'],
  ...['prependOnceListener', 'emit', 'eventNames', 'listeners', 'rawListeners', 'listenerCount'],
  ...['getMaxListeners', 'setMaxListeners'],
];
const SETTABLE = ['destroyed', 'writable', '_onBeforeFirstWrite'];
const READABLE = [
  ...['writableFinished', 'writableEnded', 'writableNeedDrain', 'writableHighWaterMark', 'writableLength'],
  ...['writableObjectMode', 'writableCorked'],
];

/** Set the global `awslambda`, unless the function does not want it. */
function defineGlobal() {
  if (['1', 'true'].includes(process.env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
    return;
  }
  globalThis.awslambda = {
    streamifyResponse(handler, options) {
      handler[MARK] = RESPONSE;
      if (typeof options?.highWaterMark === 'number') {
        handler[HIGH_WATER_MARK] = options.highWaterMark;
      }
      return handler;
    },
    HttpResponseStream: class HttpResponseStream {
      /** Have what is written preceded by status and headers, as function URLs and API Gateway understand them. */
      static from(stream, prelude) {
        stream.setContentType(HTTP_INTEGRATION);
        const text = JSON.stringify(prelude);
        stream._onBeforeFirstWrite = (write) => {
          write(text);
          write(PRELUDE_END);
        };
        return stream;
      }
    },
  };
}

/** Whether a handler streams its response. Throws where it is marked with something else. */
function isStreaming(handler) {
  if (handler[MARK] && handler[MARK] !== RESPONSE) {
    throw new MalformedStreamingHandler('Only response streaming is supported.');
  }
  return Boolean(handler[MARK]);
}

/** Return how much may wait before `write` returns false; undefined leaves it to Node.js. */
function highWaterMarkOf(handler) {
  const bytes = Number.parseInt(handler[HIGH_WATER_MARK], 10);
  return Number.isNaN(bytes) ? undefined : bytes;
}

/** The response of one invocation, piece by piece. `stream` is for the handler. */
class ResponseStream {
  /**
   * @param begin makes the request from its headers and a function that takes the answer.
   */
  constructor(begin) {
    /** Settles when the Runtime API has answered, which it does after the end. */
    this.answered = new Promise((resolve, reject) => {
      const headers = {
        'Content-Type': 'application/octet-stream',
        'Lambda-Runtime-Function-Response-Mode': 'streaming',
        'Transfer-Encoding': 'chunked',
        Trailer: [ERROR_TYPE, ERROR_BODY],
      };
      this._request = begin(headers, (answer) => {
        answer.on('end', resolve);
        answer.on('error', reject);
        answer.resume();
      });
      this._request.on('error', reject);
    });
    // Whoever waits for it is told; until somebody does it is no rejection that nobody handles.
    this.answered.catch(() => {});
    this.stream = this._forHandler();
  }

  /** Whether it was destroyed before it was whole. */
  get isCutOff() {
    return this._request.destroyed && !this._request.writableFinished;
  }

  /** End the response with an error, unless it has ended. What was written is with the caller already. */
  fail(body) {
    if (this._request.writableEnded || this._request.destroyed) {
      return;
    }
    let text = JSON.stringify(body);
    if (Buffer.byteLength(text) > ERROR_MAX_BYTES) {
      const cut = (part) => String(part).slice(0, CUT_CHARACTERS);
      text = JSON.stringify({ errorType: cut(body.errorType), errorMessage: cut(body.errorMessage), trace: [] });
    }
    // Names of errors are the function's to choose; trailers do not take every character.
    const type = /^[\x20-\x7e]{1,256}$/.test(body.errorType) ? body.errorType : 'Error';
    this._request.addTrailers({ [ERROR_TYPE]: type, [ERROR_BODY]: Buffer.from(text).toString('base64') });
    this._request.end();
  }

  _forHandler() {
    const request = this._request;
    const { write } = request;
    let hasBegun = false;
    // Not by `end`, which writes what it is given in its own way: nothing precedes that, as on AWS.
    request.write = (piece, encoding, callback) => {
      const isRaw = typeof piece === 'string' || piece instanceof Uint8Array;
      const bytes = isRaw ? piece : JSON.stringify(piece);
      if (!hasBegun) {
        request._onBeforeFirstWrite?.((first) => write.call(request, first));
      }
      const hasRoom = write.call(request, bytes, encoding, callback);
      hasBegun = true;
      return hasRoom;
    };
    request.setContentType = (type) => {
      if (hasBegun) {
        throw new InvalidStreamingOperation('Cannot set content-type, too late.');
      }
      request.setHeader('Content-Type', type);
    };
    const stream = {};
    for (const name of METHODS) {
      stream[name] = request[name].bind(request);
    }
    for (const name of SETTABLE) {
      Object.defineProperty(stream, name, { get: () => request[name], set: (value) => (request[name] = value) });
    }
    for (const name of READABLE) {
      Object.defineProperty(stream, name, { get: () => request[name] });
    }
    return stream;
  }
}

module.exports = { ResponseStream, defineGlobal, highWaterMarkOf, isStreaming };
