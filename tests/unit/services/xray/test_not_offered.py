"""What X-Ray answers, and what it says of the rest."""

import botocore.session

from lambent.services.xray import graphs, groups, sampling_rules, sampling_targets, segments, surroundings, tags, traces
from lambent.services.xray.not_offered import NOT_OFFERED


def test_handlers_and_refusals_are_the_model() -> None:
    """Every operation of the service model is answered or refused with a reason, none both."""
    model = set(botocore.session.get_session().get_service_model("xray").operation_names)
    offered = {
        operation
        for resource in (
            graphs.Graphs,
            groups.Groups,
            sampling_rules.SamplingRules,
            sampling_targets.SamplingTargets,
            segments.TraceSegments,
            surroundings.Surroundings,
            tags.Tags,
            traces.Traces,
        )
        for method in vars(resource).values()
        if (operation := getattr(method, "__operation__", None)) is not None
    }
    assert offered.isdisjoint(NOT_OFFERED)
    assert offered | set(NOT_OFFERED) == model
