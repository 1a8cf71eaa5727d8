"""Tags of alarms."""

from pathlib import Path

import pytest
from unit.services.monitoring.alarm_bench import opened, story

from lambent.errors.api.monitoring import InvalidParameterValueException, ResourceNotFoundException

ARN = "arn:aws:cloudwatch:eu-west-1:111122223333:alarm:"


@story
async def test_tags(tmp_path: Path) -> None:
    """Of either type of alarm; the configuration stays as old as it is."""
    async with opened(tmp_path) as bench:
        await bench.put("a:b")
        await bench.call("PutCompositeAlarm", AlarmName="x", AlarmRule="FALSE", Tags=[{"Key": "a", "Value": "1"}])
        before = await bench.shown("a:b")
        for name in ("a:b", "x"):
            await bench.call("TagResource", ResourceARN=ARN + name, Tags=[{"Key": "b", "Value": "2"}])
            await bench.call("UntagResource", ResourceARN=ARN + name, TagKeys=["a", "c"])
            answer = await bench.call("ListTagsForResource", ResourceARN=ARN + name)
            assert answer["Tags"] == [{"Key": "b", "Value": "2"}]
        assert await bench.shown("a:b") == before


@story
async def test_alarms_that_are_not_there(tmp_path: Path) -> None:
    """Have no tags, and cannot get any."""
    async with opened(tmp_path) as bench:
        assert (await bench.call("ListTagsForResource", ResourceARN=ARN + "nobody"))["Tags"] == []
        with pytest.raises(ResourceNotFoundException):
            await bench.call("TagResource", ResourceARN=ARN + "nobody", Tags=[])
        with pytest.raises(ResourceNotFoundException):
            await bench.call("UntagResource", ResourceARN=ARN + "nobody", TagKeys=[])


@pytest.mark.parametrize(
    "arn",
    ["x", "arn:aws:cloudwatch::111122223333:dashboard/x", ARN, ARN.replace("eu-west-1", "us-east-1") + "x"],
)
@story
async def test_arns_of_something_else(tmp_path: Path, arn: str) -> None:
    """Are refused."""
    async with opened(tmp_path) as bench:
        with pytest.raises(InvalidParameterValueException):
            await bench.call("ListTagsForResource", ResourceARN=arn)
