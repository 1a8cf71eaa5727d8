// What a program does with AWS's SDK for JavaScript: the QueueUrl is its endpoint, and it checks every digest.
import {
  CreateQueueCommand,
  DeleteMessageCommand,
  GetQueueUrlCommand,
  QueueDoesNotExist,
  ReceiveMessageCommand,
  SendMessageBatchCommand,
  SendMessageCommand,
  SQSClient,
} from "@aws-sdk/client-sqs";

const [endpoint, name] = process.argv.slice(2);
const options = { region: "eu-west-1", credentials: { accessKeyId: "111122223333", secretAccessKey: "test" } };
const client = new SQSClient({ ...options, endpoint });
const { QueueUrl } = await client.send(new CreateQueueCommand({ QueueName: name }));

// This one knows the server by the queue's URL alone.
const byUrl = new SQSClient(options);
await byUrl.send(
  new SendMessageCommand({
    QueueUrl,
    MessageBody: "héllo",
    MessageAttributes: { k: { DataType: "Binary", BinaryValue: new Uint8Array([0, 255]) } },
  }),
);
await client.send(new SendMessageBatchCommand({ QueueUrl, Entries: [{ Id: "a", MessageBody: "batched" }] }));
const got = [];
while (got.length < 2) {
  const answer = await byUrl.send(
    new ReceiveMessageCommand({
      QueueUrl,
      MaxNumberOfMessages: 10,
      WaitTimeSeconds: 5,
      MessageAttributeNames: ["All"],
      MessageSystemAttributeNames: ["All"],
    }),
  );
  for (const message of answer.Messages ?? []) {
    got.push({ body: message.Body, k: message.MessageAttributes?.k.BinaryValue?.length ?? 0 });
    await byUrl.send(new DeleteMessageCommand({ QueueUrl, ReceiptHandle: message.ReceiptHandle }));
  }
}
let missing;
try {
  await client.send(new GetQueueUrlCommand({ QueueName: "nowhere" }));
} catch (error) {
  missing = { typed: error instanceof QueueDoesNotExist, name: error.name, type: error.Error?.Type };
}
console.log(JSON.stringify({ QueueUrl, got, missing }));
