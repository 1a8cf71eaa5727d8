/* The Runtime API, over one connection that is kept; streamed responses have one of their own. */
'use strict';

// Kept as it is now: what functions put in its place, to trace their own requests, is for functions.
const { Agent, request } = require('http');

const { Connection } = require('./connection.cjs');
const { ResponseStream } = require('./streaming.cjs');

const PREFIX = '/2018-06-01/runtime/';
const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';

class RuntimeApi {
  /** @param {string} address `host:port` */
  constructor(address) {
    const colon = address.lastIndexOf(':');
    this._host = address.slice(0, colon);
    this._port = Number(address.slice(colon + 1));
    this._connection = undefined;
    // Handlers write to the very stream that Node.js makes of a request. Unused, its socket does not keep the process.
    const agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this._streaming = { host: this._host, port: this._port, agent };
  }

  /** Set how much of a streamed response may wait on the connection. Before the first request. */
  set highWaterMark(bytes) {
    this._streaming.highWaterMark = bytes;
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
      request({ ...this._streaming, method: 'POST', path, headers }, answered),
    );
  }

  /** Post that an invocation failed. */
  fail(id, body) {
    return this._send('POST', `invocation/${encodeURIComponent(id)}/error`, JSON.stringify(body));
  }

  /** Post that the function could not be loaded. */
  failInit(body) {
    // Names of errors are the function's to choose; headers do not take every character.
    const type = /^[\x20-\x7e]+$/.test(body.errorType) ? `${ERROR_TYPE}: ${body.errorType}\r\n` : '';
    return this._send('POST', 'init/error', JSON.stringify(body), type);
  }

  _send(method, path, text, headers = '') {
    if (this._connection === undefined || this._connection.isClosed) {
      this._connection = new Connection(this._host, this._port);
    }
    const type = text === undefined ? '' : 'Content-Type: application/json\r\n';
    return this._connection.send(`${method} ${PREFIX}${path} HTTP/1.1\r\n${type}${headers}`, text);
  }
}

module.exports = { RuntimeApi };
