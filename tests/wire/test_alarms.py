"""Alarms of CloudWatch: put, shown, evaluated, combined, and the functions that they start."""

import contextlib
import json
import time
from datetime import UTC, datetime, timedelta

import pytest
from botocore.exceptions import ClientError
from wire.support import ACCOUNT, REGION, FunctionMaker, wait_for

ALARMS = "lambda.alarms.cloudwatch.amazonaws.com"
ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:"
FUNCTIONS = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:"
ECHO = "def handler(event, context):\n    return event\n"


@pytest.fixture(scope="module")
def cloudwatch(server):
    return server.client("cloudwatch")


@pytest.fixture(params=["smithy-rpc-v2-cbor", "json", "query"])
def spoken(request, server, monkeypatch):
    """A client that speaks one of the protocols."""
    monkeypatch.setattr("botocore.model.PRIORITY_ORDERED_SUPPORTED_PROTOCOLS", (request.param,))
    return server.client("cloudwatch")


@pytest.fixture
def alarm(cloudwatch, unique_name):
    """Puts alarms whose names begin with the test's, and deletes them."""
    made = []

    def put(name="", *, composite=False, **settings):
        name = f"{unique_name}{name}"
        if composite:
            cloudwatch.put_composite_alarm(AlarmName=name, **settings)
        else:
            cloudwatch.put_metric_alarm(AlarmName=name, **plain(unique_name, settings))
        if name not in made:
            made.insert(0, name)
        return name

    yield put
    for name in made:
        with contextlib.suppress(ClientError):
            cloudwatch.delete_alarms(AlarmNames=[name])


def plain(namespace, changes):
    """Return the settings of an alarm, which keeps its state without data; those that are None are left out."""
    settings = {
        "Namespace": namespace,
        "MetricName": "Latency",
        "Statistic": "Maximum",
        "Period": 60,
        "EvaluationPeriods": 1,
        "Threshold": 21.0,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "ignore",
        **changes,
    }
    return {name: value for name, value in settings.items() if value is not None}


class Told:
    """A function that alarms may start; what it got comes into a queue."""

    def __init__(self, server, name, make):
        self.lambda_, self.sqs = server.client("lambda"), server.client("sqs")
        self.url = self.sqs.create_queue(QueueName=f"{name}-told")["QueueUrl"]
        self.queue = self.sqs.get_queue_attributes(QueueUrl=self.url, AttributeNames=["QueueArn"])["Attributes"][
            "QueueArn"
        ]
        make(ECHO, name=name, client=self.lambda_)
        self.name, self.arn = name, FUNCTIONS + name

    def let_in(self, alarm="*", **named):
        self.lambda_.put_function_event_invoke_config(
            FunctionName=self.name, DestinationConfig={"OnSuccess": {"Destination": self.queue}}, **named
        )
        self.lambda_.add_permission(
            FunctionName=self.name, StatementId="alarms", Principal=ALARMS, Action="lambda:InvokeFunction",
            SourceAccount=ACCOUNT, SourceArn=ARN + alarm, **named,
        )  # fmt: skip

    def some(self):
        """Return what the function got since, as far as it is there within a second."""
        answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        for message in answer.get("Messages", []):
            self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
        return [json.loads(message["Body"])["requestPayload"] for message in answer.get("Messages", [])]

    def take(self, count, wait_s=120):
        """Return so much of what the function got."""
        found, deadline = [], time.monotonic() + wait_s
        while len(found) < count and time.monotonic() < deadline:
            found += self.some()
        assert len(found) == count, found
        return found


@pytest.fixture
def told(server, make_function, unique_name):
    return Told(server, f"{unique_name}-f", make_function)


def shown(cloudwatch, name):
    answer = cloudwatch.describe_alarms(AlarmNames=[name], AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    (one,) = [*answer["MetricAlarms"], *answer["CompositeAlarms"]]
    return one


def state(cloudwatch, name):
    return shown(cloudwatch, name)["StateValue"]


def history(cloudwatch, name, kind):
    answer = cloudwatch.describe_alarm_history(
        AlarmName=name, HistoryItemType=kind, ScanBy="TimestampAscending", AlarmTypes=["MetricAlarm", "CompositeAlarm"]
    )
    return [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]


def refusal(call, **arguments):
    """Return status, code and message of the error that a call gets."""
    with pytest.raises(ClientError) as excinfo:
        call(**arguments)
    answer = excinfo.value.response
    # An empty element is read as nothing at all.
    text = answer["Error"]["Message"] or ""
    return answer["ResponseMetadata"]["HTTPStatusCode"], answer["Error"]["Code"], text


@pytest.fixture(scope="module")
def failing(server, cloudwatch, runtime):
    """A function that fails, with an alarm on that: begun with the first test, looked at in the last one."""
    maker = FunctionMaker(server.client("lambda"), runtime, "alarms-failing")
    maker("def handler(event, context):\n    raise ValueError(event)\n")
    cloudwatch.put_metric_alarm(
        AlarmName="alarms-failing",
        **plain("AWS/Lambda", {
            "MetricName": "Errors", "Statistic": "Sum", "Threshold": 2.0, "TreatMissingData": "notBreaching",
            "ComparisonOperator": "GreaterThanOrEqualToThreshold",
            "Dimensions": [{"Name": "FunctionName", "Value": "alarms-failing"}],
        }),
    )  # fmt: skip
    # Both in one minute.
    wait_for(lambda: 1 < time.time() % 60 < 50)
    for _ in range(2):
        maker.client.invoke(FunctionName="alarms-failing", Payload=b"{}")
    yield "alarms-failing"
    cloudwatch.delete_alarms(AlarmNames=["alarms-failing"])
    maker.client.delete_function(FunctionName="alarms-failing")


def test_an_alarm_is_shown_as_it_was_put(cloudwatch, alarm, failing):
    """With all that it may have; an update replaces its settings, and neither its state nor its tags."""
    before = datetime.now(UTC) - timedelta(seconds=5)
    settings = {
        "AlarmDescription": "<too> & slow\nby far", "ActionsEnabled": False, "DatapointsToAlarm": 2,
        "OKActions": [FUNCTIONS + "f"], "AlarmActions": [FUNCTIONS + "f:live", FUNCTIONS + "f:1"],
        "InsufficientDataActions": [FUNCTIONS + "g"], "EvaluationPeriods": 3,
        "Statistic": None, "ExtendedStatistic": "p99.9", "EvaluateLowSampleCountPercentile": "ignore",
        "Unit": "Seconds", "Dimensions": [{"Name": "b", "Value": "1"}, {"Name": "a", "Value": "2"}],
    }  # fmt: skip
    name = alarm(**settings, Tags=[{"Key": "team", "Value": "shop"}])
    found = shown(cloudwatch, name)
    for moment in ("AlarmConfigurationUpdatedTimestamp", "StateUpdatedTimestamp", "StateTransitionedTimestamp"):
        assert before < found.pop(moment) < datetime.now(UTC) + timedelta(seconds=5)
    assert found == {
        "AlarmName": name,
        "AlarmArn": ARN + name,
        "StateValue": "INSUFFICIENT_DATA",
        "StateReason": "Unchecked: Initial alarm creation",
        **plain(found["Namespace"], settings),
    }
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="to see", StateReasonData='{"a": 1}')
    alarm(Tags=[{"Key": "team", "Value": "other"}])
    found = shown(cloudwatch, name)
    assert (found["StateValue"], found["StateReason"], found["StateReasonData"]) == ("OK", "to see", '{"a": 1}')
    assert (found["OKActions"], found["Dimensions"], found["ActionsEnabled"]) == ([], [], True)
    assert not {"AlarmDescription", "DatapointsToAlarm", "ExtendedStatistic", "Unit"} & set(found)
    assert cloudwatch.list_tags_for_resource(ResourceARN=ARN + name)["Tags"] == [{"Key": "team", "Value": "shop"}]


def test_alarms_in_each_protocol(spoken, unique_name):
    """Numbers, times, empty lists and signs that XML minds come back; what is not there is told without a word."""
    description = "<too> & 'slow' \"by far\"\n\tand more"
    settings = plain(unique_name, {"AlarmDescription": description, "Threshold": 0.1, "OKActions": [FUNCTIONS + "f"]})
    spoken.put_metric_alarm(AlarmName=unique_name, **settings)
    spoken.set_alarm_state(AlarmName=unique_name, StateValue="OK", StateReason="<&>", StateReasonData='{"a":"<&>"}')
    found = shown(spoken, unique_name)
    assert {name: found[name] for name in settings} == settings
    assert (found["AlarmActions"], found["Dimensions"]) == ([], [])
    assert (found["StateReason"], found["StateReasonData"]) == ("<&>", '{"a":"<&>"}')
    assert abs(found["StateUpdatedTimestamp"].timestamp() - time.time()) < 60
    assert spoken.describe_alarms(AlarmNames=["nobody"])["MetricAlarms"] == []
    items = spoken.describe_alarm_history(AlarmName=unique_name, HistoryItemType="StateUpdate")["AlarmHistoryItems"]
    assert json.loads(items[0]["HistoryData"])["newState"] == {
        "stateValue": "OK", "stateReason": "<&>", "stateReasonData": {"a": "<&>"},
    }  # fmt: skip
    assert refusal(spoken.set_alarm_state, AlarmName="nobody", StateValue="OK", StateReason="x") == (
        404, "ResourceNotFound", "",
    )  # fmt: skip
    assert "MetricAlarms" not in (spoken.delete_alarms(AlarmNames=[unique_name]))


def test_tags(cloudwatch, alarm):
    """Of an alarm that is gone there are none."""
    name = alarm()
    cloudwatch.tag_resource(ResourceARN=ARN + name, Tags=[{"Key": "a", "Value": "1"}, {"Key": "b", "Value": "2"}])
    cloudwatch.untag_resource(ResourceARN=ARN + name, TagKeys=["a"])
    assert cloudwatch.list_tags_for_resource(ResourceARN=ARN + name)["Tags"] == [{"Key": "b", "Value": "2"}]
    cloudwatch.delete_alarms(AlarmNames=[name])
    assert cloudwatch.list_tags_for_resource(ResourceARN=ARN + name)["Tags"] == []
    status, code, _ = refusal(cloudwatch.tag_resource, ResourceARN=ARN + name, Tags=[{"Key": "a", "Value": "1"}])
    assert (status, code) == (404, "ResourceNotFoundException")


def test_alarms_are_found(cloudwatch, alarm, unique_name):
    """By name, prefix, state, action, and by the metric that they are on; page by page."""
    names = [alarm(f"-{number}", Period=60 * (number + 1)) for number in range(5)]
    alarm("-0", AlarmActions=[FUNCTIONS + "f"])
    top = alarm("-top", composite=True, AlarmRule=f"ALARM({names[0]}) OR ALARM({names[1]})")
    cloudwatch.set_alarm_state(AlarmName=names[3], StateValue="ALARM", StateReason="to see")

    def found(**wanted):
        answer = cloudwatch.describe_alarms(**wanted)
        assert answer["LogAlarms"] == []
        return [one["AlarmName"] for one in [*answer["MetricAlarms"], *answer["CompositeAlarms"]]]

    assert found(AlarmNamePrefix=unique_name) == names
    assert found(AlarmNames=[names[2], "nobody", names[1]]) == [names[1], names[2]]
    assert found(AlarmNamePrefix=unique_name, AlarmTypes=["CompositeAlarm"]) == [top]
    assert found(AlarmNamePrefix=unique_name, StateValue="ALARM") == [names[3]]
    assert found(AlarmNamePrefix=unique_name, ActionPrefix=FUNCTIONS) == [names[0]]
    assert found(ChildrenOfAlarmName=top) == names[:2]
    assert found(ParentsOfAlarmName=names[0]) == [top]
    pages = cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=unique_name, AlarmTypes=["MetricAlarm", "CompositeAlarm"], PaginationConfig={"PageSize": 2}
    )
    assert [len(page["MetricAlarms"]) + len(page["CompositeAlarms"]) for page in pages] == [2, 2, 2]
    cloudwatch.get_waiter("alarm_exists").wait(AlarmNames=[names[0]])

    metric = {"Namespace": unique_name, "MetricName": "Latency"}

    def on(**wanted):
        return [one["AlarmName"] for one in cloudwatch.describe_alarms_for_metric(**metric, **wanted)["MetricAlarms"]]

    other = alarm("-other", Statistic=None, ExtendedStatistic="p90", Unit="Bytes")
    assert on() == [*names, other]
    assert on(Statistic="Maximum", Period=120) == [names[1]]
    assert on(ExtendedStatistic="p90", Unit="Bytes") == [other]
    assert on(Dimensions=[{"Name": "a", "Value": "b"}]) == []


def test_refusals(cloudwatch, alarm, unique_name):
    """Each with its code."""
    put = cloudwatch.put_metric_alarm

    def refused(**changes):
        return refusal(put, AlarmName=unique_name, **plain(unique_name, changes))[1:]

    assert refusal(cloudwatch.set_alarm_state, AlarmName="nobody", StateValue="OK", StateReason="x") == (
        404, "ResourceNotFound", "",
    )  # fmt: skip
    assert refusal(cloudwatch.delete_alarms, AlarmNames=["nobody"])[:2] == (404, "ResourceNotFound")
    assert refused(DatapointsToAlarm=2) == (
        "ValidationError", "DatapointsToAlarm must be less than or equal to EvaluationPeriods",
    )  # fmt: skip
    assert refused(EvaluationPeriods=1_441)[0] == "ValidationError"
    assert refused(Statistic=None)[0] == "InvalidParameterCombination"
    assert refused(Threshold=None)[0] == "MissingParameter"
    assert refused(Statistic=None, ExtendedStatistic="p101") == (
        "InvalidParameterValue", "The value p101 for parameter ExtendedStatistic is not supported.",
    )  # fmt: skip
    topic = f"arn:aws:sns:{REGION}:{ACCOUNT}:topic"
    assert refused(AlarmActions=[topic]) == (
        "InvalidParameterValue",
        f"AlarmActions {topic} is not offered by this version of Lambent: alarms invoke functions",
    )
    name = alarm()
    assert refusal(cloudwatch.set_alarm_state, AlarmName=name, StateValue="OK", StateReason="x", StateReasonData="{")[
        1:
    ] == ("InvalidFormat", "Unknown")
    alarm("-top", composite=True, AlarmRule=f"ALARM({name})")
    assert refusal(cloudwatch.delete_alarms, AlarmNames=[name])[0] == 409
    for call in (cloudwatch.describe_alarms, cloudwatch.describe_alarm_history):
        assert refusal(call, NextToken="?")[1] == "InvalidNextToken"
    unknown = refusal(cloudwatch.put_composite_alarm, AlarmName="x", AlarmRule="ALARM(nobody)")
    assert unknown[1:] == (
        "ValidationError",
        "Could not save the composite alarm as alarms [nobody] in the alarm rule do not exist",
    )


def test_a_state_that_is_set_starts_a_function(cloudwatch, alarm, told):
    """By its alias, where its policy lets alarms in; what was refused is in the history."""
    told.lambda_.publish_version(FunctionName=told.name)
    told.lambda_.create_alias(FunctionName=told.name, Name="live", FunctionVersion="1")
    name = alarm(AlarmActions=[told.arn], AlarmDescription="mend it")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="to see")
    wait_for(lambda: history(cloudwatch, name, "Action"))
    (refused,) = history(cloudwatch, name, "Action")
    assert refused.startswith(f"Failed to execute action {told.arn}. Received error:")

    told.let_in(name, Qualifier="live")
    alarm(AlarmActions=[told.arn + ":live"], OKActions=[told.arn + ":live"], AlarmDescription="mend it")
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="is fine", StateReasonData='{"x":1}')
    (event,) = told.take(1)
    moment = event.pop("time")
    configuration = event["alarmData"].pop("configuration")
    assert event == {
        "source": "aws.cloudwatch",
        "alarmArn": ARN + name,
        "accountId": ACCOUNT,
        "region": REGION,
        "alarmData": {
            "alarmName": name,
            "state": {"value": "OK", "reason": "is fine", "reasonData": '{"x":1}', "timestamp": moment},
            "previousState": {
                "value": "ALARM", "reason": "to see", "timestamp": event["alarmData"]["previousState"]["timestamp"],
            },
        },
    }  # fmt: skip
    assert configuration["description"] == "mend it"
    assert configuration["metrics"][0]["metricStat"]["metric"]["name"] == "Latency"
    # Set again, it does not change, and nothing is done.
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="is fine")
    cloudwatch.disable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="is off")
    cloudwatch.enable_alarm_actions(AlarmNames=[name])
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="is on")
    assert [one["alarmData"]["state"]["reason"] for one in told.take(1)] == ["is on"]
    wait_for(lambda: len(history(cloudwatch, name, "Action")) == 3)


def test_metrics_take_alarms_through_their_states(cloudwatch, alarm, told, unique_name):
    """Seconds, looked at each ten of them: an alarm and one above it start a function, and again as they end."""
    told.let_in()
    actions = {"AlarmActions": [told.arn], "OKActions": [told.arn]}
    stat = {"Metric": {"Namespace": unique_name, "MetricName": "Latency"}, "Period": 10, "Stat": "Maximum"}
    none = dict.fromkeys(("Namespace", "MetricName", "Statistic", "Period"))
    slow = alarm("-slow", Period=10, TreatMissingData="notBreaching", **actions)
    computed = alarm(
        "-computed", **none, TreatMissingData="notBreaching", Threshold=100.0,
        Metrics=[
            {"Id": "twice", "Expression": "m * 5", "Label": "five times", "Period": 10},
            {"Id": "m", "MetricStat": stat, "ReturnData": False, "AccountId": ACCOUNT},
        ],
    )  # fmt: skip
    both = alarm(
        "-both", composite=True, AlarmRule=f'ALARM("{slow}") AND ALARM({ARN}{computed})', AlarmDescription="both",
        ActionsEnabled=True, InsufficientDataActions=[], Tags=[{"Key": "a", "Value": "b"}], **actions,
    )  # fmt: skip
    assert state(cloudwatch, both) == "OK"

    def measure(value):
        datum = {"MetricName": "Latency", "Value": value, "StorageResolution": 1}
        cloudwatch.put_metric_data(Namespace=unique_name, MetricData=[datum])

    def is_alarmed():
        # Again and again: an alarm that is looked at late looks at what is measured by then.
        measure(30.0)
        return state(cloudwatch, both) == "ALARM"

    wait_for(is_alarmed, every_s=0.5)
    found = shown(cloudwatch, slow)
    assert found["StateReason"].startswith("Threshold Crossed: 1 datapoint [30.0 (")
    assert json.loads(found["StateReasonData"])["recentDatapoints"] == [30.0]
    assert shown(cloudwatch, computed)["StateReason"].startswith("Threshold Crossed: 1 datapoint [150.0 (")
    assert [one["Id"] for one in shown(cloudwatch, computed)["Metrics"]] == ["twice", "m"]
    measure(1.0)
    wait_for(lambda: {state(cloudwatch, name) for name in (slow, computed, both)} == {"OK"}, every_s=0.5)
    # One may have been fine before anything was measured.
    changes = [
        (name, summary.rpartition(" ")[2])
        for name in (slow, both)
        for summary in history(cloudwatch, name, "StateUpdate")
    ]
    assert {(name, to) for name in (slow, both) for to in ("ALARM", "OK")} <= set(changes)
    events = [one["alarmData"] for one in told.take(len(changes))]
    assert sorted((one["alarmName"], one["state"]["value"]) for one in events) == sorted(changes)


def test_histories(cloudwatch, alarm):
    """Newest first, by time, page by page; an alarm's history stays when it is gone."""
    name = alarm()
    for value in ("OK", "ALARM"):
        cloudwatch.set_alarm_state(AlarmName=name, StateValue=value, StateReason="to see")
    cloudwatch.delete_alarms(AlarmNames=[name])

    def summaries(**wanted):
        answer = cloudwatch.describe_alarm_history(AlarmName=name, **wanted)
        return [item["HistorySummary"] for item in answer["AlarmHistoryItems"]]

    assert summaries() == [
        f'Alarm "{name}" deleted',
        "Alarm updated from OK to ALARM",
        "Alarm updated from INSUFFICIENT_DATA to OK",
        f'Alarm "{name}" created',
    ]
    assert summaries(HistoryItemType="StateUpdate", MaxRecords=1) == ["Alarm updated from OK to ALARM"]
    now = datetime.now(UTC)
    assert len(summaries(StartDate=now - timedelta(hours=1), EndDate=now + timedelta(hours=1))) == 4
    assert summaries(EndDate=now - timedelta(hours=1)) == summaries(AlarmContributorId="x") == []
    pages = cloudwatch.get_paginator("describe_alarm_history").paginate(
        AlarmName=name, PaginationConfig={"PageSize": 3}
    )
    assert [len(page["AlarmHistoryItems"]) for page in pages] == [3, 1]


def test_what_was_to_be_done_is_done_after_a_crash(own_server, runtime, unique_name):
    """The state is stored with what follows from it, and is there again with the next server."""
    server = own_server().start()
    told = Told(server, unique_name, FunctionMaker(server.client("lambda"), runtime, unique_name))
    told.let_in()
    cloudwatch = server.client("cloudwatch")
    for number in range(5):
        settings = plain(unique_name, {"AlarmActions": [told.arn]})
        cloudwatch.put_metric_alarm(AlarmName=f"a{number}", **settings)
    for number in range(5):
        cloudwatch.set_alarm_state(AlarmName=f"a{number}", StateValue="ALARM", StateReason="to see")
    server.kill()
    server.restart()
    cloudwatch = server.client("cloudwatch")
    assert [one["StateReason"] for one in cloudwatch.describe_alarms()["MetricAlarms"]] == ["to see"] * 5
    told.lambda_, told.sqs = server.client("lambda"), server.client("sqs")
    told.url = told.sqs.get_queue_url(QueueName=f"{unique_name}-told")["QueueUrl"]
    names, wanted = set(), {f"a{number}" for number in range(5)}

    def got():
        # What was begun when the server died is done again: a function may get it twice.
        names.update(one["alarmData"]["alarmName"] for one in told.some())
        return names == wanted

    wait_for(got)


def test_the_errors_of_a_function(cloudwatch, failing):
    """What the platform counts of invocations is watched like what clients measure."""

    def alarmed():
        # In its history: by now it may be fine again.
        answer = cloudwatch.describe_alarm_history(AlarmName=failing, HistoryItemType="StateUpdate")
        return [one for one in answer["AlarmHistoryItems"] if one["HistorySummary"].endswith(" to ALARM")]

    (item,) = wait_for(alarmed, within_s=240, every_s=0.5)
    reason = json.loads(item["HistoryData"])["newState"]["stateReason"]
    assert reason.startswith("Threshold Crossed: 1 datapoint [2.0 (")
