// The function whose response is streamed: one piece, or as many of 64 KiB as the event or the query says.
const piece = Buffer.alloc(65536);

export const handler = awslambda.streamifyResponse(async (event, stream, context) => {
  const pieces = Number(event.pieces ?? event.queryStringParameters?.pieces);
  context.callbackWaitsForEmptyEventLoop = false;
  stream.write('first');
  for (let sent = 0; sent < pieces; sent++) {
    if (!stream.write(piece)) {
      await new Promise((drained) => stream.once('drain', drained));
    }
  }
  stream.end();
});
