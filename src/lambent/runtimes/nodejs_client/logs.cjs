/* What the console writes: AWS's text lines or JSON records, as frames on the telemetry descriptor. */
'use strict';

const fs = require('fs');
const { format } = require('util');

const { describe, intoError } = require('./errors.cjs');

const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const FRAME_JSON = 0xa55a0002;
const FRAME_TEXT = 0xa55a0003;
const HEADER_BYTES = 16;
const FULL_PIPE_WAIT_MS = 1;

// Kept as they are now: what functions put in their place is for functions.
const { writeSync } = fs;
const never = new Int32Array(new SharedArrayBuffer(4));

class Logs {
  constructor() {
    this._isJson = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
    this._lowest = Math.max(0, LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase()));
    const descriptor = Number.parseInt(process.env._LAMBDA_TELEMETRY_LOG_FD, 10);
    this._descriptor = Number.isNaN(descriptor) ? undefined : descriptor;
    // Programs that the function starts have no use for it.
    delete process.env._LAMBDA_TELEMETRY_LOG_FD;
    /** Of the invocation that runs; before the first there is none, and the text format says so. */
    this.requestId = undefined;
    this.tenantId = undefined;
  }

  patchConsole() {
    for (const level of LEVELS) {
      const isWanted = LEVELS.indexOf(level) >= this._lowest;
      console[level.toLowerCase()] = isWanted ? (...values) => this.write(level, values) : () => {};
    }
    console.log = console.info;
  }

  /** Write that something failed, with all that is known of the error. */
  failure(what, error) {
    if (this._isJson) {
      console.error(intoError(error));
    } else {
      console.error(what, `\t${describe(intoError(error))}`);
    }
  }

  write(level, values) {
    const now = new Date();
    const text = this._isJson ? this._record(level, now, values) : this._line(level, now, values);
    if (this._descriptor === undefined) {
      process.stdout.write(`${text.replace(/\n/g, '\r')}\n`);
      return;
    }
    // A record is whole in itself; a line ends where it did on stdout.
    const message = Buffer.from(this._isJson ? text : `${text}\n`, 'utf8');
    const header = Buffer.allocUnsafe(HEADER_BYTES);
    const type = (this._isJson ? FRAME_JSON : FRAME_TEXT) | ((LEVELS.indexOf(level) + 1) << 2);
    header.writeUInt32BE(type >>> 0, 0);
    header.writeUInt32BE(message.length, 4);
    header.writeBigUInt64BE(BigInt(now.getTime()) * 1000n, 8);
    this._writeWhole(Buffer.concat([header, message]));
  }

  _line(level, now, values) {
    return `${now.toISOString()}\t${this.requestId}\t${level}\t${format(...values)}`;
  }

  _record(level, now, values) {
    const record = { timestamp: now.toISOString(), level, requestId: this.requestId };
    if (this.tenantId !== undefined) {
      record.tenantId = this.tenantId;
    }
    if (values.length === 1) {
      record.message = values[0];
      try {
        return JSON.stringify(record, withErrors);
      } catch {
        // It holds itself, or a BigInt.
        record.message = format(values[0]);
        return JSON.stringify(record);
      }
    }
    record.message = format(...values);
    const error = values.slice(1).find((value) => value instanceof Error);
    return JSON.stringify(error === undefined ? record : { ...record, ...membersOf(error) });
  }

  _writeWhole(bytes) {
    let done = 0;
    while (done < bytes.length) {
      try {
        done += writeSync(this._descriptor, bytes, done);
      } catch (error) {
        // Node.js makes stdout non-blocking once a function uses it, and with it this descriptor of the same pipe.
        if (error.code !== 'EAGAIN') {
          throw error;
        }
        Atomics.wait(never, 0, 0, FULL_PIPE_WAIT_MS);
      }
    }
  }
}

function membersOf(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}

function withErrors(_, value) {
  return value instanceof Error ? Object.assign(membersOf(value), value) : value;
}

module.exports = { Logs };
