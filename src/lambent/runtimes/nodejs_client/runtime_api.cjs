/* The Runtime API, over one connection that is kept. */
'use strict';

// Kept as it is now: what functions put in its place, to trace their own requests, is for functions.
const { Agent, request } = require('http');

const { ResponseStream } = require('./streaming.cjs');

const PREFIX = '/2018-06-01/runtime/';
const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';

class RuntimeApi {
  /** @param {string} address `host:port` */
  constructor(address) {
    const colon = address.lastIndexOf(':');
    // While it is unused its socket does not keep the process: so an event loop without work is seen to be empty.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this._place = { host: address.slice(0, colon), port: Number(address.slice(colon + 1)), agent };
  }

  /** Set how much of a streamed response may wait on the connection. Before the first request. */
  set highWaterMark(bytes) {
    this._place.highWaterMark = bytes;
  }

  /** Return the next event, however long it takes: `{headers, body}`, names in lower case, the body as text. */
  next() {
    return this._send('GET', 'invocation/next');
  }

  /** Post an answer, which is JSON text. One that is too long is refused, and the invocation has failed by that. */
  respond(id, text) {
    return this._send('POST', `invocation/${encodeURIComponent(id)}/response`, text);
  }

  /** Return the stream of an answer, of which nothing is sent before something is written. */
  stream(id) {
    const path = `${PREFIX}invocation/${encodeURIComponent(id)}/response`;
    return new ResponseStream((headers, answered) =>
      request({ ...this._place, method: 'POST', path, headers }, answered),
    );
  }

  /** Post that an invocation failed. */
  fail(id, body) {
    return this._send('POST', `invocation/${encodeURIComponent(id)}/error`, JSON.stringify(body));
  }

  /** Post that the function could not be loaded. */
  failInit(body) {
    // Names of errors are the function's to choose; headers do not take every character.
    const type = /^[\x20-\x7e]+$/.test(body.errorType) ? { [ERROR_TYPE]: body.errorType } : {};
    return this._send('POST', 'init/error', JSON.stringify(body), type);
  }

  _send(method, path, text, headers = {}) {
    const bytes = text === undefined ? undefined : Buffer.from(text, 'utf8');
    const fields = { ...headers };
    if (bytes !== undefined) {
      fields['Content-Type'] = 'application/json';
      fields['Content-Length'] = bytes.length;
    }
    return new Promise((resolve, reject) => {
      const sent = request({ ...this._place, method, path: PREFIX + path, headers: fields }, (answer) => {
        const parts = [];
        answer.on('data', (part) => parts.push(part));
        answer.on('error', reject);
        answer.on('end', () => resolve({ headers: answer.headers, body: Buffer.concat(parts).toString('utf8') }));
      });
      sent.on('error', reject);
      sent.end(bytes);
    });
  }
}

module.exports = { RuntimeApi };
