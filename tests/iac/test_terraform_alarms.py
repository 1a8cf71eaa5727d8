"""
What the AWS provider of Terraform and OpenTofu asks for of alarms, as scripts of requests; `test_terraform_calls` says
why, and what a settled resource is.

The calls are those of provider 6.x (hashicorp/terraform-provider-aws, internal/service/cloudwatch).
"""

from typing import ClassVar

import pytest
from iac.test_terraform_calls import settled
from wire.support import ACCOUNT, REGION

FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:mend"


@pytest.fixture(scope="module")
def client(server):
    return server.client("cloudwatch", parameter_validation=False)


class Alarm:
    """What aws_cloudwatch_metric_alarm and aws_cloudwatch_composite_alarm have in common."""

    type: ClassVar[str]

    def __init__(self, client, name, tags=None, **members):
        self.client, self.name = client, name
        self.put(**({"Tags": [{"Key": key, "Value": value} for key, value in tags.items()]} if tags else {}), **members)
        self.arn = self.found()[0]["AlarmArn"]

    def found(self):
        answer = self.client.describe_alarms(AlarmNames=[self.name], AlarmTypes=[self.type])
        return answer[f"{self.type}s"]

    def read_common(self, found):
        tags = self.client.list_tags_for_resource(ResourceARN=self.arn)["Tags"]
        return {
            "actions_enabled": found["ActionsEnabled"],
            "alarm_actions": set(found["AlarmActions"]),
            "alarm_description": found.get("AlarmDescription", ""),
            "alarm_name": found["AlarmName"],
            "arn": found["AlarmArn"],
            "insufficient_data_actions": set(found["InsufficientDataActions"]),
            "ok_actions": set(found["OKActions"]),
            "tags": {tag["Key"]: tag["Value"] for tag in tags},
        }

    def retag(self, gone, **tags):
        self.client.untag_resource(ResourceARN=self.arn, TagKeys=gone)
        self.client.tag_resource(
            ResourceARN=self.arn, Tags=[{"Key": key, "Value": value} for key, value in tags.items()]
        )

    def destroy(self):
        self.client.delete_alarms(AlarmNames=[self.name])
        assert self.found() == []


class MetricAlarm(Alarm):
    """aws_cloudwatch_metric_alarm: the defaults of its schema are sent."""

    type = "MetricAlarm"
    LEFT_OUT: ClassVar = {
        "actions_enabled": True,
        "alarm_actions": set(),
        "alarm_description": "",
        "datapoints_to_alarm": 0,
        "dimensions": {},
        "evaluate_low_sample_count_percentiles": "",
        "extended_statistic": "",
        "insufficient_data_actions": set(),
        "metric_name": "",
        "metric_query": [],
        "namespace": "",
        "ok_actions": set(),
        "period": 0,
        "statistic": "",
        "tags": {},
        "threshold_metric_id": "",
        "treat_missing_data": "missing",
        "unit": "",
    }

    def put(self, **members):
        self.client.put_metric_alarm(
            AlarmName=self.name, **{"ActionsEnabled": True, "TreatMissingData": "missing", **members}
        )

    def read(self):
        (found,) = self.found()
        return {
            **self.read_common(found),
            "comparison_operator": found["ComparisonOperator"],
            "datapoints_to_alarm": found.get("DatapointsToAlarm", 0),
            "dimensions": {one["Name"]: one["Value"] for one in found.get("Dimensions", [])},
            "evaluate_low_sample_count_percentiles": found.get("EvaluateLowSampleCountPercentile", ""),
            "evaluation_periods": found["EvaluationPeriods"],
            "extended_statistic": found.get("ExtendedStatistic", ""),
            "metric_name": found.get("MetricName", ""),
            "metric_query": found.get("Metrics", []),
            "namespace": found.get("Namespace", ""),
            "period": found.get("Period", 0),
            "statistic": found.get("Statistic", ""),
            "threshold": found["Threshold"],
            "threshold_metric_id": found.get("ThresholdMetricId", ""),
            "treat_missing_data": found["TreatMissingData"],
            "unit": found.get("Unit", ""),
        }


class CompositeAlarm(Alarm):
    """aws_cloudwatch_composite_alarm."""

    type = "CompositeAlarm"
    LEFT_OUT: ClassVar = {
        "actions_enabled": True,
        "actions_suppressor": "",
        "alarm_actions": set(),
        "alarm_description": "",
        "insufficient_data_actions": set(),
        "ok_actions": set(),
        "tags": {},
    }

    def put(self, **members):
        self.client.put_composite_alarm(AlarmName=self.name, **{"ActionsEnabled": True, **members})
        self.client.get_waiter("composite_alarm_exists").wait(AlarmNames=[self.name], AlarmTypes=[self.type])

    def read(self):
        (found,) = self.found()
        return {
            **self.read_common(found),
            "actions_suppressor": found.get("ActionsSuppressor", ""),
            "alarm_rule": found["AlarmRule"],
        }


PLAIN = {"ComparisonOperator": "GreaterThanOrEqualToThreshold", "EvaluationPeriods": 2, "Threshold": 80.0}
ON_METRIC = {**PLAIN, "MetricName": "Errors", "Namespace": "AWS/Lambda", "Period": 120, "Statistic": "Sum"}


def test_metric_alarms_show_no_drift(client, unique_name):
    """With the least that may be said, and with all; each setting can be taken away again."""
    alarm = MetricAlarm(client, unique_name, **ON_METRIC)
    plain = {
        "comparison_operator": "GreaterThanOrEqualToThreshold",
        "evaluation_periods": 2,
        "metric_name": "Errors",
        "namespace": "AWS/Lambda",
        "period": 120,
        "statistic": "Sum",
        "threshold": 80.0,
    }
    settled(alarm, **plain)
    alarm.put(
        **{name: value for name, value in ON_METRIC.items() if name != "Statistic"},
        ActionsEnabled=False, AlarmActions=[FUNCTION], AlarmDescription="too many", DatapointsToAlarm=1,
        Dimensions=[{"Name": "FunctionName", "Value": "f"}], EvaluateLowSampleCountPercentile="ignore",
        ExtendedStatistic="p95.45", InsufficientDataActions=[FUNCTION], OKActions=[FUNCTION],
        TreatMissingData="notBreaching", Unit="Count",
    )  # fmt: skip
    alarm.retag(["none"], team="shop")
    settled(
        alarm,
        **{name: value for name, value in plain.items() if name != "statistic"},
        actions_enabled=False, alarm_actions={FUNCTION}, alarm_description="too many", datapoints_to_alarm=1,
        dimensions={"FunctionName": "f"}, evaluate_low_sample_count_percentiles="ignore", extended_statistic="p95.45",
        insufficient_data_actions={FUNCTION}, ok_actions={FUNCTION}, treat_missing_data="notBreaching", unit="Count",
        tags={"team": "shop"},
    )  # fmt: skip
    alarm.put(**ON_METRIC)
    alarm.retag(["team"])
    settled(alarm, **plain)
    alarm.destroy()


def test_alarms_that_compute_show_no_drift(client, unique_name):
    """Rows come back in their order, as they were given."""
    stat = {
        "Metric": {"MetricName": "Errors", "Namespace": "AWS/Lambda", "Dimensions": []},
        "Period": 60,
        "Stat": "Sum",
    }
    rows = [
        {"Id": "e1", "Expression": "m2/m1*100", "Label": "Error Rate", "ReturnData": True},
        *({"Id": name, "MetricStat": {**stat, "Unit": "Count"}, "ReturnData": False} for name in ("m1", "m2")),
    ]
    alarm = MetricAlarm(client, unique_name, **PLAIN, Metrics=rows, tags={"a": "b"})
    settled(
        alarm, comparison_operator="GreaterThanOrEqualToThreshold", evaluation_periods=2, threshold=80.0,
        metric_query=rows, tags={"a": "b"},
    )  # fmt: skip
    alarm.destroy()


def test_composite_alarms_show_no_drift(client, unique_name):
    """Their alarms are made before them and deleted after them."""
    below = [MetricAlarm(client, f"{unique_name}-{number}", **ON_METRIC) for number in range(2)]
    rule = " OR ".join(f"ALARM({alarm.name})" for alarm in below)
    alarm = CompositeAlarm(client, unique_name, AlarmRule=rule, tags={"a": "b"})
    settled(alarm, alarm_rule=rule, tags={"a": "b"})
    rule = f"ALARM({below[0].arn}) AND NOT TRUE\n"
    alarm.put(AlarmRule=rule, AlarmDescription="both", AlarmActions=[FUNCTION], ActionsEnabled=False)
    settled(
        alarm, alarm_rule=rule, alarm_description="both", alarm_actions={FUNCTION}, actions_enabled=False,
        tags={"a": "b"},
    )  # fmt: skip
    for one in (alarm, *below):
        one.destroy()
