"""
The suite of runtimes in Node.js, on every path by which it is started; below it, what is Node.js's alone.

What depends on where things are is shown with and without walls. How handlers are found, answer and fail is the
client's affair, which is the same everywhere: it is shown once.
"""

import json
import re
from pathlib import Path
from typing import ClassVar

import pytest
from conformance.machine import walled_driver
from conformance.nodejs import NodejsFunctions, js

from lambent.runtimes import nodejs
from lambent.testing.conformance.runtime import REQUEST_ID, ManagedRuntimeConformance


class NodejsConformance(NodejsFunctions, ManagedRuntimeConformance):
    """The shared suite."""

    error_type = "TypeError"
    trace_member = "trace"
    packages: ClassVar = {
        "echo": js("if (event.say) { console.log('said', event.say); } return event;"),
        "error": js("throw new TypeError('boom');"),
        "init_error": {"app.js": "throw new TypeError('boom');\n"},
        "exit": js("process.exit(3);"),
        "goodbye": js("return 1;", "process.on('SIGTERM', () => { console.log('goodbye'); process.exit(); });"),
        "context": js(
            "const left = context.getRemainingTimeInMillis(); await new Promise((go) => setTimeout(go, 10));"
            "const c = context; return [c.awsRequestId, c.invokedFunctionArn, c.functionName, c.functionVersion,"
            "c.memoryLimitInMB, c.logGroupName, c.logStreamName, left, c.getRemainingTimeInMillis()];"
        ),
        "nested_error": js("inner();", "function inner() { throw new TypeError('boom'); }"),
        "order": js(
            "process.stdout.write('one\\n'); process.stderr.write('two\\n'); console.warn('three');"
            "process.stdout.write('four\\n');"
        ),
        "logs": js("console.debug('low'); console.error('high');"),
        "environment": js("return process.env;"),
        "left_over": js(
            "if (!event.wait) { setTimeout(() => { done(); }, 50); return false; }"
            "return Promise.race([work, new Promise((go) => setTimeout(() => go(false), event.wait))]);",
            "let done; const work = new Promise((go) => { done = () => go(true); });",
        ),
    }


class NodejsPlaces(NodejsConformance):
    """The suite, and what depends on where things are."""

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("files", "handler"),
        [
            ({"index.mjs": "const t = await Promise.resolve(41); export const handler = async () => t + 1;"}, ""),
            ({"package.json": '{"type": "module"}', "index.js": "export const handler = async () => 42;"}, ""),
            ({"index.cjs": "exports.handler = async () => 42;"}, ""),
            ({"index.js": "exports.handler = async () => 42;", "index.mjs": "throw new Error('not this one');"}, ""),
            ({"src/fn.js": "exports.handler = async () => 42;"}, "src/fn.handler"),
            ({"src/fn.mjs": "export const handler = async () => 42;"}, "src/fn.handler"),
            ({"fn.handler/fn.js": "exports.handler = async () => 42;"}, "fn.handler/fn.handler"),
            ({"index.js": "exports.api = { get: { it: async () => 42 } };"}, "index.api.get.it"),
            ({"index/index.js": "exports.handler = async () => 42;"}, ""),
            ({"node_modules/own/index.js": "exports.handler = async () => 42;"}, "own.handler"),
        ],
        ids=[
            "esm-await",
            "type-module",
            "cjs",
            "both",
            "nested",
            "nested-esm",
            "named-alike",
            "dots",
            "folder",
            "package",
        ],
    )
    def test_where_handlers_may_be(self, files: dict[str, str], handler: str, runtime: str) -> None:
        """RT-01 a to d, f: CommonJS and ES modules, by name or package; index.js comes before index.mjs."""
        answer = self.answer(files, runtime=runtime, handler=handler or "index.handler")
        assert (answer.kind, answer.body) == ("response", b"42"), answer

    def test_a_missing_module_is_told_as_on_aws(self) -> None:
        """The message has Node.js's own words and the stack of those who required it."""
        answer = self.answer({"app.js": "require('no-such-module');"}, runtime="nodejs20.x")
        lines = answer.json()["errorMessage"].split("\n")
        assert lines[:2] == ["Error: Cannot find module 'no-such-module'", "Require stack:"]
        assert lines[2].endswith("/app.js")
        assert lines[3].endswith("/index.mjs")
        assert "aws-sdk-js" not in answer.output

    def test_modules_of_layers_are_found(self) -> None:
        """LY-02: the package's own come first, then those of the version, then those beside it."""
        files = {
            **js("return [require('a'), require('b'), require('c')];"),
            "node_modules/a.js": "module.exports = 'package';",
        }
        layers = {
            "nodejs/node_modules/a.js": "module.exports = 'layer';",
            "nodejs/node_modules/b.js": "module.exports = 'layer';",
            "nodejs/node_modules/c.js": "module.exports = 'layer';",
            "nodejs/node22/node_modules/c.js": "module.exports = 'layer of node22';",
        }
        answer = self.answer(files, layers=layers)
        assert answer.json() == ["package", "layer", "layer of node22"]

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    def test_es_modules_of_layers_are_found(self, runtime: str) -> None:
        """LY-02: `import` looks where `require` does; what is nowhere is told as without layers."""
        major = runtime.removeprefix("nodejs").removesuffix(".x")
        package = '{"name": "c", "type": "module", "exports": {"import": "./main.js"}}'
        layers = {
            "nodejs/node_modules/b/index.js": "exports.of = 'layer';",
            "nodejs/node_modules/c/package.json": package,
            "nodejs/node_modules/c/main.js": "export const of = 'layer';",
            f"nodejs/node{major}/node_modules/c/package.json": package,
            f"nodejs/node{major}/node_modules/c/main.js": "export const of = 'layer of the version';",
        }
        source = (
            "import b from 'b'; import { of } from 'c'; export const handler = async () =>"
            "[b.of, of, await import('nowhere').catch((error) => error.code)];"
        )
        answer = self.answer({"app.mjs": source}, runtime=runtime, layers=layers)
        assert (answer.kind, answer.json()) == (
            "response",
            ["layer", "layer of the version", "ERR_MODULE_NOT_FOUND"],
        ), answer
        silent = self.answer({"app.mjs": "export const handler = () => {};"}, layers=layers)
        assert (silent.kind, silent.json()) == ("response", None)

    def test_node_options_and_wrappers_act(self) -> None:
        """NODE_OPTIONS is Node.js's own; a wrapper of a layer gets the command."""
        files = {**js("return [globalThis.early, process.env.WRAPPED];"), "early.js": "globalThis.early = 'ran';"}
        given = {"NODE_OPTIONS": "--require ./early.js", "AWS_LAMBDA_EXEC_WRAPPER": "wrap"}
        layers = {"bin/wrap": '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'}
        assert self.answer(files, variables=given, layers=layers).json() == ["ran", "yes"]
        missing = self.answer(self.packages["echo"], variables={"AWS_LAMBDA_EXEC_WRAPPER": "/no/wrapper"})
        assert missing.how is not None
        assert missing.how.status == 127
        plain = {**files, "wrap": "#!/bin/sh\n"}
        closed = self.answer(plain, variables={"AWS_LAMBDA_EXEC_WRAPPER": "./wrap"})
        assert closed.how is not None
        assert closed.how.status == 126
        assert "./wrap: Permission denied" in closed.output

    def test_a_layer_cannot_replace_the_client(self) -> None:
        """Modules of layers that have the names of the client's files, and of what it needs, are not the client's."""
        client = [path.name for path in Path(nodejs.__file__).with_name("nodejs_client").iterdir()]
        names = [*client, "http/index.js", "module.js", "runtime/index.js"]
        layers = {f"nodejs/node_modules/{name}": "throw new Error('of the layer');" for name in names}
        answer = self.answer(js("return 'fine';"), layers=layers)
        assert (answer.kind, answer.json()) == ("response", "fine"), answer

    def test_the_heap_is_what_the_function_has(self) -> None:
        """Node.js may use nine tenths of MemorySize for its heap; a wrapper sees the interpreter and its flags."""
        body = (
            "return [require('v8').getHeapStatistics().heap_size_limit / 1048576, process.execArgv, process.env.SEEN];"
        )
        layers = {"bin/wrap": '#!/bin/sh\nexport SEEN="$1 $#"\nexec "$@"\n'}
        answer = self.answer(js(body), layers=layers, variables={"AWS_LAMBDA_EXEC_WRAPPER": "wrap"})
        limit_mib, flags, seen = answer.json()
        assert 230 <= limit_mib <= 300
        assert flags[-1] == "--max-old-space-size=231"
        assert re.fullmatch(r"/.*/node 6", seen)

    def test_the_clients_files_are_no_modules_of_functions(self) -> None:
        """A bare name never leads into the client's folder, which is in NODE_PATH."""
        names = [path.stem for path in Path(nodejs.__file__).with_name("nodejs_client").iterdir()]
        body = "return event.filter((name) => { try { require.resolve(name); return true; } catch { return false; } });"
        assert len(names) > 3
        assert self.answer(js(body), names).json() == []


class TestNodejs(NodejsPlaces):
    """Where environments see the machine."""


class TestNodejsWalled(NodejsPlaces):
    """Behind walls, where environments have Lambda's own paths."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()

    def test_the_places_are_lambdas(self) -> None:
        """Documented: the developer guide names them."""
        body = (
            "const { env } = process; return [process.cwd(), env.LAMBDA_RUNTIME_DIR, process.argv[1], env.NODE_PATH];"
        )
        told = self.answer(js(body)).json()
        assert told[:3] == ["/var/task", "/var/runtime", "/var/runtime/index.cjs"]
        layers = "/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules"
        assert told[3] == f"{layers}:/var/runtime/node_modules:/var/runtime:/var/task"

    def test_traces_show_lambdas_paths(self) -> None:
        """RT-01 h: the second line of a trace is the handler's place."""
        told = self.answer({"app.mjs": "export const handler = async () => { throw new TypeError('x'); };"}).json()
        assert told["trace"][0] == "TypeError: x"
        assert told["trace"][1].startswith("    at Runtime.handler (file:///var/task/app.mjs:")


class TestNodejsAhead(NodejsConformance):
    """What all runtimes do, in processes that were started before their function was known. See test_ahead.py."""

    starts_ahead = True

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()


class TestHandlers(NodejsFunctions):
    """How handlers answer and fail, and what they write."""

    @pytest.mark.parametrize(
        ("body", "expected"),
        [
            ("(e, c, callback) => callback(null, 'ok')", "ok"),
            ("(e, c, callback) => { setTimeout(() => callback(null, 'late'), 20); }", "late"),
            ("(e, c) => c.succeed('ok')", "ok"),
            ("(e, c) => c.done(null, 'ok')", "ok"),
            ("(e, c) => { setTimeout(() => c.succeed('late'), 20); }", "late"),
            ("() => {}", None),
            ("() => 'not an answer'", None),
            ("async () => {}", None),
            ("() => new Promise(() => {})", None),
            ("() => Promise.resolve('ok')", "ok"),
            ("async () => () => {}", None),
            ("async (e, c, callback) => { callback(null, 'first'); return 'then'; }", "then"),
        ],
    )
    def test_answers_up_to_nodejs_22(self, body: str, expected: object) -> None:
        """RT-01 e, g: by promise, callback or context; null where the event loop is empty and nothing was said."""
        answer = self.answer({"app.js": f"exports.handler = {body};"}, runtime="nodejs22.x")
        assert (answer.kind, answer.json()) == ("response", expected), answer

    def test_a_callback_waits_for_the_event_loop(self) -> None:
        """callbackWaitsForEmptyEventLoop: what still runs is waited for, unless the function says no."""
        source = (
            "let ran = 0; exports.handler = (event, context, callback) => {"
            "context.callbackWaitsForEmptyEventLoop = event.waits;"
            "setTimeout(() => { ran += 1; process.stdout.write('ran ' + ran + '\\n'); }, 100); callback(null, ran); };"
        )
        self.runtime = "nodejs20.x"
        waited, not_waited = self.run_files({"app.js": source}, {"waits": True}, {"waits": False})
        assert (waited.json(), "ran 1" in waited.output) == (0, True)
        assert (not_waited.json(), "ran 2" in not_waited.output) == (1, False)

    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("(e, c, callback) => callback(new RangeError('boom'))", ["RangeError", "boom"]),
            ("(e, c, callback) => callback('boom')", ["string", "boom"]),
            ("(e, c) => c.fail(new Error('boom'))", ["Error", "boom"]),
            ("(e, c) => c.fail()", ["string", "handled"]),
            ("() => { throw new Error('boom'); }", ["Error", "boom"]),
            ("async () => { throw 'boom'; }", ["string", "boom"]),
            ("async () => { throw Object.assign(new Error('boom'), { name: 'Own é' }); }", ["Own é", "boom"]),
            ("async () => { const a = {}; a.a = a; return a; }", ["Error", "Unable to stringify response body"]),
            ("async () => 10n", ["Error", "Unable to stringify response body"]),
        ],
    )
    def test_errors_up_to_nodejs_22(self, body: str, told: list[str]) -> None:
        """RT-01 h: type, message and trace, by whichever way an error is given; the next invocation goes on."""
        self.runtime = "nodejs22.x"
        answer, again = self.run_files({"app.js": f"exports.handler = {body};"}, {}, {})
        assert (answer.kind, again.kind) == ("error", "error"), answer
        body_told = answer.json()
        assert list(body_told) == ["errorType", "errorMessage", "trace"]
        assert [body_told["errorType"], body_told["errorMessage"]] == told
        if told[0] == "string":
            assert body_told["trace"] == []
        else:
            assert told[1] in body_told["trace"][0]
        assert f'{REQUEST_ID}\tERROR\tInvoke Error \t{{"errorType":' in answer.output

    def test_answers_from_nodejs_24_on(self) -> None:
        """What a handler returns is the answer, also without a promise; there is no callback, nor done on context."""
        source = "exports.handler = (event, context) => ({ members: Object.keys(context), n: 1 });"
        exported = "export default { handler: () => 'of the default' };"
        assert self.answer({"app.mjs": exported}, runtime="nodejs24.x").json() == "of the default"
        told = self.answer({"app.js": source}, runtime="nodejs24.x").json()
        assert told["n"] == 1
        assert not {"done", "succeed", "fail", "callbackWaitsForEmptyEventLoop"} & set(told["members"])
        answer = self.answer({"app.js": "exports.handler = (e, c, callback) => callback();"}, runtime="nodejs24.x")
        assert (answer.kind, answer.error_type) == ("init error", "Runtime.CallbackHandlerDeprecated")
        answer = self.answer(js("return 10n;"), runtime="nodejs24.x")
        assert (answer.kind, answer.json()["errorType"]) == ("error", "Runtime.JSONStringifyError")

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("files", "handler", "told"),
        [
            ({"app.js": "const = 1;"}, "app.handler", "Runtime.UserCodeSyntaxError"),
            ({"app.mjs": "const = 1;"}, "app.handler", "Runtime.UserCodeSyntaxError"),
            ({"app.js": "require('no-such-module');"}, "app.handler", "Runtime.ImportModuleError"),
            ({"app.js": ""}, "app", "Runtime.MalformedHandlerName"),
            ({"app.js": ""}, "../app.handler", "Runtime.MalformedHandlerName"),
            ({"app.js": "exports.handler = 5;"}, "app.handler", "Runtime.HandlerNotFound"),
            (
                {
                    "app.js": "exports.handler = async () => 1;"
                    "exports.handler[Symbol.for('aws.lambda.runtime.handler.streaming')] = 'request';"
                },
                "app.handler",
                "Runtime.MalformedStreamingHandler",
            ),
            ({"app.js": "throw new TypeError('boom');"}, "app.handler", "TypeError"),
            ({"app.mjs": "await Promise.reject(new TypeError('boom'));"}, "app.handler", "TypeError"),
            (
                {"app.mjs": "Promise.reject(new Error('x')); await new Promise((go) => setTimeout(go, 1000));"},
                "app.handler",
                "Runtime.UnhandledPromiseRejection",
            ),
        ],
    )
    def test_what_fails_while_loading(self, files: dict[str, str], handler: str, told: str, runtime: str) -> None:
        """Each kind of failure has its name, in the body and in the header."""
        answer = self.answer(files, handler=handler, runtime=runtime)
        assert (answer.kind, answer.error_type, answer.json()["errorType"]) == ("init error", told, told), answer
        assert "\tundefined\tERROR\t" in answer.output

    @pytest.mark.parametrize(
        "files",
        [{"app.js": "require('@aws-sdk/client-none');"}, {"app.mjs": "import '@aws-sdk/client-none';"}],
        ids=["require", "import"],
    )
    def test_a_missing_sdk_has_a_hint_in_the_log(self, files: dict[str, str]) -> None:
        """AWS's runtimes carry the SDK; here it is installed, or packaged."""
        assert "`lambent runtimes install aws-sdk-js`" in self.answer(files).output

    @pytest.mark.parametrize("runtime", ["nodejs22.x", "nodejs24.x"])
    @pytest.mark.parametrize(
        ("body", "told"),
        [
            ("setTimeout(() => { throw new RangeError('boom'); }, 5);", ["RangeError", "boom"]),
            ("Promise.reject(new Error('boom'));", ["Runtime.UnhandledPromiseRejection", "Error: boom"]),
        ],
        ids=["exception", "rejection"],
    )
    def test_what_nobody_catches_is_reported(self, body: str, told: list[str], runtime: str) -> None:
        """The invocation fails with it, and the process ends."""
        self.runtime = runtime
        failed, ended = self.run_files(js(f"{body} await new Promise((go) => setTimeout(go, 5000));"), {}, {})
        assert failed.kind == "error", failed
        assert [failed.json()["errorType"], failed.json()["errorMessage"]] == told
        assert ended.how is not None
        assert ended.how.status in {128, 129}

    def test_log_lines_are_lambdas(self) -> None:
        """RT-01: time, request id, level and text, parted by tabs; a message of several lines is one record."""
        answer = self.answer(js("console.log('a %s\\nb', 1, { c: 2 }); console.trace('t'); console.fatal('f');"))
        time = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
        texts = (r"INFO\ta 1\nb \{ c: 2 \}", r"TRACE\tt", r"FATAL\tf")
        messages = answer.messages()
        assert len(messages) == len(texts)
        for message, text in zip(messages, texts, strict=True):
            assert re.fullmatch(rf"{time}\t{REQUEST_ID}\t{text}\n", message)

    def test_json_records_hold_what_was_logged(self) -> None:
        """PL-03: one value as it is, several as text, an error with type, message and trace."""
        body = (
            "console.info({ a: 1 }); console.warn('b', 2); console.error('c', new RangeError('d'));"
            "console.error(new RangeError('e')); const own = {}; own.own = own; console.error(own);"
        )
        answer = self.answer(js(body), variables={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "INFO"})
        records = [json.loads(message) for message in answer.messages()]
        assert [record["level"] for record in records] == ["INFO", "WARN", "ERROR", "ERROR", "ERROR"]
        assert records[0]["message"] == {"a": 1}
        assert records[1]["message"] == "b 2"
        assert (records[2]["errorType"], records[2]["errorMessage"]) == ("RangeError", "d")
        assert records[2]["stackTrace"][0] == "RangeError: d"
        assert records[3]["message"]["errorMessage"] == "e"
        assert "[Circular *1]" in records[4]["message"]

    def test_long_output_is_whole(self) -> None:
        """More than a pipe holds, by both ways at once, arrives whole and in order."""
        body = (
            "process.stdout.write('<'); for (let i = 0; i < 50; i++) { console.log(String(i).repeat(9000)); } return 1;"
        )
        answer = self.answer(js(body))
        assert answer.json() == 1
        assert "<" in answer.output
        assert all(str(number) * 9000 in answer.output for number in range(50))

    def test_client_context_and_nothing_else(self) -> None:
        """RT-03: what the caller sent, characters and all; undefined where nothing was."""
        body = "return [context.clientContext, context.identity, context.tenantId].map((one) => one ?? 'none');"
        answer = self.answer(js(body), client_context='{"custom":{"a":"愛"}}')
        assert answer.json() == [{"custom": {"a": "愛"}}, "none", "none"]
        assert self.answer(js(body)).json() == ["none", "none", "none"]

    def test_what_functions_replace_does_not_matter(self) -> None:
        """A function that replaces the requests of `http`, as tracers do, still gets its answers out."""
        before = "const http = require('http'); http.request = http.get = () => { throw new Error('traced'); };"
        first, second = self.run_files(js("return event.n;", before), {"n": 1}, {"n": 2})
        assert (first.json(), second.json()) == (1, 2)
