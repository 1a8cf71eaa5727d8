/*
 * A connection to the Runtime API, made for the warm path: a request is one write, an answer mostly one read.
 *
 * Node.js's own client takes twice as long for the two requests that an invocation is. The other side is always
 * Lambent's `runtime_api`: it answers in order, each answer has a length, and none comes before its request.
 */
'use strict';

// Kept as it is now: what functions put in its place, to trace their own connections, is for functions.
const { connect } = require('net');

const HEAD_END = '\r\n\r\n';

/** One connection. While no answer is awaited it does not keep the process: an event loop without work is seen empty. */
class Connection {
  constructor(host, port) {
    this._host = host;
    this._waiting = [];
    this._parts = [];
    this._size = 0;
    /** Of the answer that is coming in, once its head is here: `{headers, start, end}`, places in what came. */
    this._head = undefined;
    this._error = undefined;
    this.isClosed = false;
    this._socket = connect({ host, port, noDelay: true });
    this._socket.on('data', (part) => this._take(part));
    this._socket.on('error', (error) => {
      this._error = error;
    });
    this._socket.on('close', () => this._close());
  }

  /**
   * Send a request, and return the answer: `{headers, body}`, names in lower case, the body as text.
   *
   * @param {string} head request line and headers, each with its line's end, but for the host and the length.
   * @param {string} [body]
   */
  send(head, body) {
    return new Promise((resolve, reject) => {
      this._waiting.push({ resolve, reject });
      if (this._waiting.length === 1) {
        this._socket.ref();
      }
      const length = body === undefined ? '' : `Content-Length: ${Buffer.byteLength(body)}\r\n`;
      this._socket.write(`${head}Host: ${this._host}\r\n${length}\r\n${body ?? ''}`);
    });
  }

  _take(part) {
    this._parts.push(part);
    this._size += part.length;
    for (;;) {
      this._head ??= this._readHead();
      if (this._head === undefined || this._size < this._head.end) {
        return;
      }
      const { headers, start, end } = this._head;
      const whole = this._joined();
      this._head = undefined;
      this._size -= end;
      this._parts = this._size > 0 ? [whole.subarray(end)] : [];
      this._answer({ headers, body: whole.toString('utf8', start, end) });
    }
  }

  _readHead() {
    if (this._size === 0) {
      return undefined;
    }
    const whole = this._joined();
    const start = whole.indexOf(HEAD_END);
    if (start < 0) {
      return undefined;
    }
    const headers = {};
    for (const line of whole.toString('latin1', 0, start).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const body = start + HEAD_END.length;
    return { headers, start: body, end: body + Number(headers['content-length']) };
  }

  _joined() {
    if (this._parts.length > 1) {
      this._parts = [Buffer.concat(this._parts)];
    }
    return this._parts[0];
  }

  _answer(answer) {
    const { resolve } = this._waiting.shift() ?? {};
    if (this._waiting.length === 0) {
      this._socket.unref();
    }
    if (answer.headers.connection === 'close' || resolve === undefined) {
      this._socket.destroy();
      this._close();
    }
    resolve?.(answer);
  }

  _close() {
    this.isClosed = true;
    for (const { reject } of this._waiting.splice(0)) {
      reject(this._error ?? new Error('The connection to the Runtime API has ended.'));
    }
  }
}

module.exports = { Connection };
