"""Queues that start a function, as tests make and watch them."""

import json

from wire.support import ACCOUNT, REGION, wait_for

# Tells what it got, and does what its messages say.
SOURCE = """
import json, time
def handler(event, context):
    records = event["Records"]
    said = [record["body"] for record in records]
    print("RAN", json.dumps({"at": time.time(), "id": context.aws_request_id, "records": records}))
    for body in said:
        if body.startswith("sleep"):
            time.sleep(float(body.split()[1]))
        if body.startswith("fail"):
            raise ValueError("as told")
    print("DID", json.dumps({"at": time.time(), "bodies": said}))
    if said[0].startswith("{"):
        told = json.loads(said[0])
        if "answer" in told:
            return told["answer"]
    bad = [{"itemIdentifier": record["messageId"]} for record in records if record["body"] == "bad"]
    return {"batchItemFailures": bad}
"""


class Stage:
    """
    A function, queues, and mappings between them.

    Args:
        sqs: a client of the server that the queues are at; None: of ours.
    """

    def __init__(self, server, make_function, name, sqs=None):
        self.server = server
        self.lambda_, self.logs = (server.client(service) for service in ("lambda", "logs"))
        self.sqs = sqs or server.client("sqs")
        # boto3 itself would not send what is out of range.
        self.unchecked = server.client("lambda", parameter_validation=False)
        self.name = name
        self.make_function = make_function
        self.urls = {}

    HIDDEN_S = "5"
    """
    For how long queues of functions of a second hide what failed. Within the other four a run has to begin, cold as it
    is, or its message counts as received once more: far longer than that takes on a busy machine.
    """

    def function(self, **settings):
        self.function_name = self.make_function(SOURCE, MemorySize=1769, **settings)
        return self.function_name

    def queue(self, suffix="", **attributes):
        name = f"{self.name[:60]}{suffix}"
        if suffix.endswith(".fifo"):
            attributes["FifoQueue"] = "true"
        self.urls[suffix] = self.sqs.create_queue(QueueName=name, Attributes=attributes)["QueueUrl"]
        return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{name}"

    def map(self, arn, **settings):
        settings.setdefault("FunctionName", self.function_name)
        made = self.lambda_.create_event_source_mapping(EventSourceArn=arn, **settings)
        assert made["State"] == "Creating"
        self.wait_state(made["UUID"], "Enabled" if settings.get("Enabled", True) else "Disabled")
        return made["UUID"]

    def state(self, uuid):
        return self.lambda_.get_event_source_mapping(UUID=uuid)["State"]

    def wait_state(self, uuid, state):
        wait_for(lambda: self.state(uuid) == state)

    def send(self, *bodies, suffix="", **more):
        for body in bodies:
            if suffix.endswith(".fifo"):
                more.update(MessageGroupId=body.partition("-")[0], MessageDeduplicationId=body)
            self.sqs.send_message(QueueUrl=self.urls[suffix], MessageBody=body, **more)

    def depth(self, suffix=""):
        """Return how many messages a queue holds: visible, hidden, delayed."""
        names = [f"ApproximateNumberOfMessages{kind}" for kind in ("", "NotVisible", "Delayed")]
        asked = self.sqs.get_queue_attributes(QueueUrl=self.urls[suffix], AttributeNames=names)
        return tuple(int(asked["Attributes"][name]) for name in names)

    def wait_empty(self, suffix=""):
        wait_for(lambda: self.depth(suffix) == (0, 0, 0))

    def said(self, word):
        """Return what the function printed behind a word, in the order in which it did."""
        group = f"/aws/lambda/{self.function_name}"
        try:
            events = self.logs.filter_log_events(logGroupName=group)["events"]
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        found = [json.loads(event["message"][4:]) for event in events if event["message"].startswith(word)]
        return sorted(found, key=lambda told: told["at"])

    def ran(self, count=0):
        """Return what each invocation got, once there are so many."""
        wait_for(lambda: len(self.said("RAN")) >= count)
        return self.said("RAN")

    def bodies(self, count=0):
        return [[record["body"] for record in told["records"]] for told in self.ran(count)]

    def clear(self):
        """Delete mappings and queues."""
        arns = {f":{url.rsplit('/', 1)[1]}" for url in self.urls.values()}
        for mapping in self.lambda_.list_event_source_mappings()["EventSourceMappings"]:
            if mapping["EventSourceArn"].endswith(tuple(arns)) and mapping["State"] != "Deleting":
                self.lambda_.delete_event_source_mapping(UUID=mapping["UUID"])
        for url in self.urls.values():
            self.sqs.delete_queue(QueueUrl=url)
