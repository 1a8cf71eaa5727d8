"""Streaming handlers in Node.js: what they may write, how they fail, and what they may call."""

from typing import Any

import pytest
from conformance.nodejs import NodejsFunctions, js, js_stream


class TestStreaming(NodejsFunctions):
    """With our client, which is the same with and without walls."""

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    def test_what_a_streaming_handler_may_write(self, runtime: str) -> None:
        """Text, bytes and values as JSON; a prelude before the first write, and none before what `end` is given."""
        self.runtime = runtime
        body = (
            "const prelude = { statusCode: 201 };"
            "const http = event.plain ? stream : awslambda.HttpResponseStream.from(stream, prelude);"
            "prelude.statusCode = 500; if (event.write) { http.write({ a: 1 }); http.write(new Uint8Array([46, 46]));"
            "http.write('e9', 'hex'); } http.end('end');"
        )
        prelude = b'{"statusCode":201}' + bytes(8)
        told = self.run_files(js_stream(body), {"plain": True}, {"write": True}, {})
        assert [answer.kind for answer in told] == ["response"] * 3
        assert [answer.body for answer in told] == [b"end", prelude + b'{"a":1}..\xe9end', b"end"]

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("throw new TypeError('boom');", ["TypeError", "boom"]),
            ("stream.write('half'); throw Object.assign(new Error('boom'), { name: 'Own é' });", ["Own é", "boom"]),
            ("stream.write('half'); throw 'boom';", ["string", "boom"]),
            (
                "stream.write('half'); stream.setContentType('text/plain');",
                ["Runtime.InvalidStreamingOperation", "Cannot set content-type, too late."],
            ),
            ("stream.write('half'); throw new Error('字'.repeat(2e5));", ["Error", "字" * 50_000]),
            ("stream.destroy();", ["Error", "socket hang up"]),
            (
                "await require('stream/promises').pipeline(async function* () { throw Error('boom'); }, stream);",
                ["Error", "boom"],
            ),
            (
                "setTimeout(() => { throw new RangeError('boom'); }, 5); await new Promise(() => {});",
                ["RangeError", "boom"],
            ),
        ],
        ids=["at-once", "midway", "string", "too-late", "long", "destroyed", "pipeline", "uncaught"],
    )
    def test_errors_of_a_streaming_handler(self, body: str, told: list[str], runtime: str) -> None:
        """Before the first byte or after: the body tells the same, and the log as of any handler."""
        answer = self.answer(js_stream(body), runtime=runtime)
        assert answer.kind == "error", answer
        assert [answer.json()["errorType"], answer.json()["errorMessage"]] == told
        assert "ERROR\t" in answer.output

    def test_a_streaming_handler_is_asynchronous(self) -> None:
        """One that is not fails; what one returns is ignored, with a warning."""
        text = "Streaming does not support non-async handlers."
        for runtime, error_type in (("nodejs22.x", "string"), ("nodejs24.x", "Error")):
            source = "exports.handler = awslambda.streamifyResponse((event, stream) => { stream.write('x'); });"
            answer = self.answer({"app.js": source}, runtime=runtime)
            assert (answer.kind, answer.json()["errorType"], answer.json()["errorMessage"]) == (
                "error",
                error_type,
                text,
            )
            answer = self.answer(js_stream("stream.end('x'); return 5;"), runtime=runtime)
            assert (answer.kind, answer.body) == ("response", b"x")
        self.runtime = "nodejs24.x"
        _, again = self.run_files(js_stream("stream.end('x'); return 5;"), {}, {})
        assert "WARN\tStreaming handlers ignore return values." in again.output

    def test_writing_after_the_end_is_an_error_in_the_log(self) -> None:
        """What was written before has arrived by then; the next invocation goes on."""
        first, second = self.run_files(
            js_stream("stream.end('whole'); if (event.more) stream.write('x');"), {"more": 1}, {}
        )
        assert [(first.kind, first.body), (second.kind, second.body)] == [("response", b"whole")] * 2
        assert "ERR_STREAM_WRITE_AFTER_END" in first.output + second.output

    def test_a_stream_waits_for_the_event_loop_up_to_nodejs_22(self) -> None:
        """What still runs belongs to the invocation, unless the function says no; from 24 on it does not."""
        body = (
            "if ('waits' in event) context.callbackWaitsForEmptyEventLoop = event.waits;"
            "globalThis.ran ??= 0; setTimeout(() => { ran += 1; }, 50); stream.end(String(ran));"
        )
        for runtime, told in (("nodejs22.x", [b"0", b"1", b"2", b"2"]), ("nodejs24.x", [b"0", b"0"])):
            self.runtime = runtime
            events: list[dict[str, Any]] = [{}, {"waits": True}, {"waits": False}, {}][: len(told)]
            assert [answer.body for answer in self.run_files(js_stream(body), *events)] == told, runtime

    def test_the_global_awslambda(self) -> None:
        """There for every function, before it is loaded, unless not wanted; the high water mark is the connection's."""
        before = "const { streamifyResponse } = awslambda; const made = () => {}; streamifyResponse(made);"
        told = self.answer(js("return [typeof awslambda.HttpResponseStream.from, made.length];", before)).json()
        assert told == ["function", 0]
        source = (
            "exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {"
            "await new Promise(setImmediate); const room = stream.write('x'.repeat(100));"
            "stream.end(`${stream.writableHighWaterMark} ${room}`); },"
            "{ highWaterMark: 64 });"
        )
        for runtime in ("nodejs22.x", "nodejs24.x"):
            body = self.answer({"app.js": source}, runtime=runtime).body
            assert body == b"x" * 100 + b"64 false"
        for value in ("1", "true"):
            variables = {"AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA": value}
            assert self.answer(js("return typeof awslambda;"), variables=variables).json() == "undefined"

    def test_streams_of_the_library_lead_into_a_response(self) -> None:
        """`pipeline` and `pipe`, of far more than any buffer holds, in order."""
        before = "const { pipeline } = require('stream/promises'); const { Readable } = require('stream');"
        body = (
            "const numbers = Readable.from((function* () { for (let n = 0; n < 200000; n++) yield `${n},`; })());"
            "if (event.pipe) { numbers.pipe(stream); } else { await pipeline(numbers, stream); }"
        )
        expected = "".join(f"{number}," for number in range(200_000)).encode()
        answers = self.run_files(js_stream(body, before), {}, {"pipe": True})
        assert [answer.body for answer in answers] == [expected] * 2
