/*
 * Waits for a function: this process was started before one was known, see `sandbox.contract.Ahead`.
 *
 * In: one JSON object from the socket that LAMBENT_AHEAD names. Out: a process as if executed with what that holds, but
 * for what is loaded and how long it has run. Nothing of a customer's is here before.
 */
'use strict';

const fs = require('fs');
const { createServer } = require('http');

const { RuntimeApi } = require('./runtime_api.cjs');

const CHUNK_BYTES = 65536;
const TURNS_MAX = 1000;

/** Return once there is a function, and this process is its. */
exports.wait = async function wait() {
  const link = Number(process.env.LAMBENT_AHEAD);
  await rehearse();
  fs.writeSync(link, 'R');
  // Not by the event loop: that has nothing to wait for, and functions see what it has.
  const text = readWhole(link);
  fs.closeSync(link);
  if (text === '') {
    process.exit(0);
  }
  const given = JSON.parse(text);
  become(given.environ);
  process.chdir(given.working_directory);
  // As the shell does that starts Node.js.
  process.env.PWD = given.working_directory;
  forgetThisFile();
};

/**
 * Do once what every first invocation does, with this process as the other side: most of what it takes is Node.js
 * compiling its own code. Without a thread pool, whose size a function may set in UV_THREADPOOL_SIZE before it is used.
 */
async function rehearse() {
  // What `import` needs, also for the function's own files.
  await import('node:fs');
  await import('data:text/javascript,');
  // Whatever closes a socket compares it with stderr, which opens that: then the pipe of the output does not block any
  // more, for programs that the function starts as well.
  const stderr = Object.getOwnPropertyDescriptor(process, 'stderr');
  Object.defineProperty(process, 'stderr', { ...stderr, get: () => undefined });
  const server = createServer((request, answer) => request.resume().on('end', () => answer.end('{}')));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const api = new RuntimeApi(`127.0.0.1:${server.address().port}`);
  await api.next();
  await api.respond('rehearsal', '{}');
  const response = api.stream('rehearsal');
  response.stream.end('{}');
  await response.answered;
  server.closeAllConnections?.();
  server.close();
  for (let turn = 0; turn < TURNS_MAX && process.getActiveResourcesInfo().length > 0; turn++) {
    await new Promise(setImmediate);
  }
  Object.defineProperty(process, 'stderr', stderr);
}

/** Only what differs: whenever TZ is set or goes, Node.js searches the machine for the time zone. */
function become(environ) {
  const { env } = process;
  for (const name of Object.keys(env)) {
    if (!Object.hasOwn(environ, name)) {
      delete env[name];
    }
  }
  for (const [name, value] of Object.entries(environ)) {
    if (env[name] !== value) {
      env[name] = value;
    }
  }
}

function readWhole(descriptor) {
  const parts = [];
  for (;;) {
    const part = Buffer.allocUnsafe(CHUNK_BYTES);
    const size = fs.readSync(descriptor, part);
    if (size === 0) {
      return Buffer.concat(parts).toString('utf8');
    }
    parts.push(part.subarray(0, size));
  }
}

/** Functions see what has been loaded by `require`. */
function forgetThisFile() {
  delete require.cache[__filename];
  const { children } = require.main;
  children.splice(
    children.findIndex((one) => one.filename === __filename),
    1,
  );
}
