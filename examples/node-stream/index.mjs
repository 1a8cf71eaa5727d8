// A page that a browser shows while it is being written: status and headers first, then a line at a time.

import { setTimeout as sleep } from 'node:timers/promises';

const LINES = ['The head left before the first word.', 'Each line is sent when it is written.', 'That was all.'];

export const handler = awslambda.streamifyResponse(async (event, stream) => {
  const pause = Math.min(Number(event.queryStringParameters?.pause_ms ?? 500) || 0, 5000);
  const page = awslambda.HttpResponseStream.from(stream, {
    statusCode: 200,
    headers: { 'Content-Type': 'text/html; charset=utf-8', 'Cache-Control': 'no-store' },
  });
  page.write('<!doctype html><html lang="en"><title>A stream</title><h1>A stream</h1>\n');
  for (const [number, line] of LINES.entries()) {
    await sleep(pause);
    page.write(`<p id="line-${number + 1}">${line}</p>\n`);
  }
  page.end('</html>\n');
});
