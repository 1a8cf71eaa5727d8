"""The suite of runtimes in Ruby, on every path by which it is started; below it, what is Ruby's alone."""

import json
import re
from typing import ClassVar

import pytest
from conformance.machine import walled_driver
from conformance.ruby import RubyFunctions, gem, rb

from lambent.testing.conformance.runtime import REQUEST_ID, ManagedRuntimeConformance


class RubyConformance(RubyFunctions, ManagedRuntimeConformance):
    """The shared suite, and what depends on where things are."""

    error_type = "Function<ArgumentError>"
    packages: ClassVar = {
        "echo": rb("puts \"said #{event['say']}\" if event['say']\nevent"),
        "error": rb("raise ArgumentError, 'boom'"),
        "init_error": {"app.rb": "raise ArgumentError, 'boom'\n"},
        "exit": rb("exit!(3)"),
        "goodbye": rb("1", "trap('TERM') do\n  puts 'goodbye'\n  $stdout.flush\n  exit!(0)\nend"),
        "context": rb(
            "c = context\nleft = c.get_remaining_time_in_millis\nsleep(0.01)\n"
            "[c.aws_request_id, c.invoked_function_arn, c.function_name, c.function_version, c.memory_limit_in_mb,\n"
            " c.log_group_name, c.log_stream_name, left, c.get_remaining_time_in_millis]"
        ),
        "nested_error": rb("inner", "def inner\n  raise ArgumentError, 'boom'\nend"),
        "order": rb(
            "$stdout.puts 'one'\nwarn 'two'\nLogger.new($stdout).warn('three')\nputs 'four'", "require 'logger'"
        ),
        "logs": rb("l = Logger.new($stderr)\nl.debug('low')\nl.error('high')\nnil"),
        "environment": rb("ENV.to_h"),
        "left_over": rb(
            "if event['wait'].nil?\n  $work = Thread.new { sleep(0.05) }\n  return false\nend\n"
            "!$work.join(event['wait'] / 1000.0).nil?"
        ),
    }

    def test_a_handler_that_is_not_there(self) -> None:
        """Without its file it fails init; without its method the invocation fails, and then the process ends."""
        answer = self.answer(self.packages["echo"], handler="nothing.handler")
        assert (answer.kind, answer.error_type) == ("init error", "Init<LoadError>")
        assert answer.json()["errorMessage"] == "cannot load such file -- nothing"
        failed, ended = self.run_files(self.packages["echo"], {}, {}, handler="app.nothing")
        assert (failed.kind, failed.error_type) == ("error", "Function<NoMethodError>")
        assert "undefined method `nothing'" in failed.json()["errorMessage"].replace("'nothing'", "`nothing'")
        assert ended.how is not None
        assert ended.how.status == 255

    @pytest.mark.parametrize(
        ("files", "handler"),
        [
            ({"app.rb": "module Own\n  def self.run(event:, context:)\n    42\n  end\nend\n"}, "app.Own.run"),
            (
                {
                    "src/app.rb": "module A\n  class B\n    def self.run(event:, context:) = 42\n  end\nend\n",
                },
                "src/app.A::B.run",
            ),
            # One that has the name of a library which the client has loaded, and lies in a folder.
            ({"json.rb": "def handler(event:, context:)\n  42\nend\n"}, "json.handler"),
            ({"app.rb": "require 'lib/own'\n", "lib/own.rb": "def handler(event:, context:) = 42\n"}, "app.handler"),
            ({"app.rb": "def handler(event: nil, **)\n  StringIO.new('42')\nend\n"}, "app.handler"),
        ],
        ids=["module", "nested", "named-alike", "required", "stream"],
    )
    def test_where_handlers_may_be(self, files: dict[str, str], handler: str) -> None:
        """At the top level, or in a module or class; what can be read is the answer as it is."""
        answer = self.answer(files, handler=handler)
        assert (answer.kind, answer.body) == ("response", b"42"), answer

    def test_traces_end_at_the_handler(self) -> None:
        """The frames are the function's; those of the client say nothing to its author."""
        told = self.answer(self.packages["nested_error"]).json()
        assert len(told["stackTrace"]) == 2
        assert re.fullmatch(r"/.*/app\.rb:2:in [`'](Object#)?inner'", told["stackTrace"][0])

    def test_gems_and_libraries_are_found(self) -> None:
        """LY-02: gems of the package come first, then those of layers; libraries of layers lie in ruby/lib."""

        def installed(root: str, name: str, of: str) -> dict[str, str]:
            return gem(root, name, f"{name.upper()} = '{of}'\n")

        files = {
            **rb("[OWN, SHARED, OF_LAYER, PLAIN]", "%w[own shared of_layer plain].each { |name| require name }"),
            **installed("vendor/bundle/ruby/3.4.0", "own", "package"),
            **installed("vendor/bundle/ruby/3.4.0", "shared", "package"),
        }
        layers = {
            **installed("ruby/gems/3.4.0", "shared", "layer"),
            **installed("ruby/gems/3.4.0", "of_layer", "layer"),
            "ruby/lib/plain.rb": "PLAIN = 'library'\n",
        }
        answer = self.answer(files, layers=layers)
        assert (answer.kind, answer.json()) == ("response", ["package", "package", "layer", "library"]), answer

    def test_paths_of_the_user_count(self) -> None:
        """GEM_PATH and RUBYLIB may be the user's own; the gems that come with Ruby are found all the same."""
        files = {
            **rb("[Gem.path.first, Gem.path.include?(Gem.default_dir), OWN]", "require 'own'"),
            "sub/own.rb": "OWN = 1\n",
        }
        answer = self.answer(files, variables={"GEM_PATH": "/of/the/user", "RUBYLIB": "./sub"})
        assert (answer.kind, answer.json()) == ("response", ["/of/the/user", True, 1]), answer

    def test_a_package_cannot_break_the_client(self) -> None:
        """Files named like what the client is made of, in the package or in a layer, are the function's own affair."""
        names = ("json", "logger", "ostruct", "socket", "stringio", "context", "errors", "function", "runtime")
        bad = {f"{name}.rb": "raise 'not this one'\n" for name in names}
        for place, body in (
            ("package", "'fine'"),
            ("layer", "[OpenStruct, JSON::GenericObject, Logger, Socket]\n'fine'"),
        ):
            of_layer = {f"ruby/lib/{name}": text for name, text in bad.items()} if place == "layer" else {}
            answer = self.answer({**(bad if place == "package" else {}), **rb(body)}, layers=of_layer)
            assert (answer.kind, answer.json()) == ("response", "fine"), answer

    def test_what_is_there_without_require(self) -> None:
        """What the client runs on, or AWS's would, whether or not it is loaded by then; its gems are active."""
        before = (
            "THERE = [defined?(Logger), defined?(OpenStruct), defined?(JSON::GenericObject), defined?(TCPSocket),\n"
            " defined?(StringIO), *%w[json logger socket stringio logger/formatter].map { |name| require name },\n"
            " gem('logger')]\nCOUNT = $LOADED_FEATURES.count { |path| path.end_with?('/logger.rb') }"
        )
        body = (
            "[THERE, COUNT, $LOADED_FEATURES.count { |path| path.end_with?('/logger.rb') }, OpenStruct.new(a: 1).a,\n"
            " JSON::GenericObject[a: 1].a, Logger::ERROR, Gem.loaded_specs.key?('logger'), require('ostruct') && 0]"
        )
        there, *counted, member, of_json, level, is_active, _ = self.answer(rb(body, before)).json()
        assert there == [*["constant"] * 3, *["constant"] * 2, *[False] * 5, False]
        assert counted == [1, 1]
        assert (member, of_json, level, is_active) == (1, 1, 3, True)

    @pytest.mark.parametrize("of", ["package", "layer"])
    def test_newer_gems_of_libraries_take_their_place(self, of: str) -> None:
        """The client's own libraries as well: only one version of a gem can be active."""
        files = {}
        for name in ("json", "logger", "ostruct"):
            text = f"require File.join(RbConfig::CONFIG['rubylibdir'], '{name}.rb')\nOWN_{name.upper()} = 1\n"
            files.update(gem("vendor/bundle/ruby/3.4.0" if of == "package" else "ruby/gems/3.4.0", name, text))
        function = rb(
            "[OWN_JSON, OWN_LOGGER, OWN_OSTRUCT, *%w[json logger ostruct].map { |one| Gem.loaded_specs[one].version }]",
            "%w[json logger ostruct].each { |one| require one }\nLogger.new($stdout).warn('of AWS')",
        )
        layers = files if of == "layer" else {}
        answer = self.answer({**function, **(files if of == "package" else {})}, layers=layers)
        assert (answer.kind, answer.json()) == ("response", [1, 1, 1, "9.0", "9.0", "9.0"]), answer
        assert re.search(r"W, \[\S+ #\d+\]  WARN  -- : of AWS\n", answer.messages()[0])

    @pytest.mark.parametrize(
        "before",
        [
            "LOGGER = Logger",
            "require 'logger'\nLOGGER = Logger",
            "require 'logger/formatter'\nLOGGER = Object.const_get('Logger')",
            "class Logger\n  def own = 1\nend\nLOGGER = Logger",
            "class Own < Logger\nend\nLOGGER = Own",
            "LOGGER = Array.new(8) { Thread.new { Logger } }.map(&:value).uniq.first",
        ],
        ids=["named", "required", "part", "opened", "inherited", "threads"],
    )
    def test_loggers_are_lambdas(self, before: str) -> None:
        """However a function comes by them."""
        answer = self.answer(rb("LOGGER.new($stdout).warn('said')", before))
        assert re.fullmatch(rf"W, \[\S+ #\d+\]  WARN {REQUEST_ID} -- : said\n", answer.messages()[0]), answer

    def test_wrappers_and_rubyopt_act(self) -> None:
        """RUBYOPT is Ruby's own; a wrapper of a layer gets the command; one that is missing is an exit with 127."""
        files = {**rb("[$early, ENV['WRAPPED']]"), "early.rb": "$early = 'ran'\n"}
        given = {"RUBYOPT": "-r./early", "AWS_LAMBDA_EXEC_WRAPPER": "wrap"}
        layers = {"bin/wrap": '#!/bin/sh\nexport WRAPPED=yes\nexec "$@"\n'}
        assert self.answer(files, variables=given, layers=layers).json() == ["ran", "yes"]
        missing = self.answer(self.packages["echo"], variables={"AWS_LAMBDA_EXEC_WRAPPER": "/no/wrapper"})
        assert missing.how is not None
        assert missing.how.status == 127

    @pytest.mark.parametrize("at", ["json", "logger", "ostruct", "io/wait", "stringio"])
    def test_a_ruby_that_is_made_otherwise(self, at: str) -> None:
        """Where what the client takes of Ruby's own workings fails, at whatever place, everything is loaded at once."""
        early = (
            "class << Gem\n  alias known find_unresolved_default_spec\n"
            "  def find_unresolved_default_spec(path)\n    by = caller_locations(1, 1).first.path\n"
            f"    raise 'otherwise' if by.end_with?('/libraries.rb') && path == '{at}'\n    known(path)\n  end\nend\n"
        )
        body = (
            "Logger.new($stdout).warn('said')\n[JSON::GenericObject[a: 1].a, OpenStruct.new(a: 2).a,\n"
            " Socket.respond_to?(:tcp), StringIO.new('x').read, Object.autoload?(:Socket)]"
        )
        answer = self.answer({**rb(body), "early.rb": early}, variables={"RUBYOPT": "-r./early"})
        assert (answer.kind, answer.json()) == ("response", [1, 2, True, "x", None]), answer
        assert f"WARN {REQUEST_ID} -- : said" in answer.messages()[0]

    def test_programs_of_the_function_are_the_runtimes(self) -> None:
        """`ruby` that a function starts is its own, with its libraries, and has no descriptor of the client's."""
        body = '`ruby -e \'require "json"; puts JSON.generate([RUBY_VERSION, Dir.children("/proc/self/fd").size])\'`'
        version, descriptors = json.loads(self.answer(rb(body)).json())
        assert version == self.answer(rb("RUBY_VERSION")).json()
        # The three, what the pipe of the answer needs, and the folder that is read.
        assert descriptors <= 6


class TestRuby(RubyConformance):
    """Where environments see the machine; here also what is the client's affair, which is the same everywhere."""

    @pytest.mark.parametrize(
        ("files", "handler", "told", "header"),
        [
            ({"app.rb": "def handler(\n"}, "app.handler", "Init<SyntaxError>", "Function<UserException>"),
            ({"app.rb": "require 'no_such_gem'\n"}, "app.handler", "Init<LoadError>", "Init<LoadError>"),
            ({"app.rb": ""}, "app", "Init<ArgumentError>", "Init<ArgumentError>"),
            ({"app.rb": ""}, "app.a.b.c", "Init<ArgumentError>", "Init<ArgumentError>"),
            ({"app.rb": "exit\n"}, "app.handler", "Init<SystemExit>", "Init<SystemExit>"),
            ({"app.rb": "Own = Class.new(StandardError)\nraise Own\n"}, "app.handler", "Init<Own>", ""),
        ],
        ids=["syntax", "gem", "short", "long", "exit", "own"],
    )
    def test_what_fails_while_loading(self, files: dict[str, str], handler: str, told: str, header: str) -> None:
        """Each kind of failure has its class in the body; the header has those that are Ruby's own."""
        answer = self.answer(files, handler=handler)
        assert (answer.kind, answer.json()["errorType"]) == ("init error", told), answer
        assert answer.error_type == (header or "Function<UserException>")
        assert f"Init error when loading handler {handler}" in answer.output
        assert f'"errorType": "{told}"' in answer.output

    @pytest.mark.parametrize(
        ("body", "told", "status"),
        [
            ("raise 'boom'", ["Function<RuntimeError>", "boom"], None),
            ("JSON.parse('{')", ["Function<JSON::ParserError>", None], None),
            ("Float::NAN", ["Function<JSON::GeneratorError>", None], None),
            ("raise Class.new(StandardError) { def message = raise('no') }", [None, None], None),
            ("exit 0", ["Function<SystemExit>", "exit"], 255),
            ("def again = again\nagain", ["Function<SystemStackError>", "stack level too deep"], 255),
            ("not_defined", ["Function<NameError>", None], 255),
        ],
    )
    def test_errors(self, body: str, told: list[str | None], status: int | None) -> None:
        """After an error the function serves on; after what no handler should rescue the process ends."""
        failed, then = self.run_files(rb(f"return 1 if event['again']\n{body}"), {}, {"again": True})
        assert failed.kind == "error", failed
        body_told = failed.json()
        assert list(body_told) == ["errorMessage", "errorType", "stackTrace"]
        for wanted, found in zip(told, (body_told["errorType"], body_told["errorMessage"]), strict=True):
            assert wanted is None or found == wanted
        assert (then.kind, then.how and then.how.status) == ("response" if status is None else "exit", status), then

    def test_what_is_not_named_is_not_loaded(self) -> None:
        """A process that is executed for a function loads only what it needs, where Ruby has no other to offer."""
        body = "[Gem.loaded_specs['logger']&.default_gem?, Object.autoload?(:Logger), Object.autoload?(:Socket)]"
        has_only_one, logger, sockets = self.answer(rb(body)).json()
        assert sockets.endswith("/sockets.rb")
        assert not has_only_one or logger.endswith("/loggers.rb")

    @pytest.mark.parametrize(
        "before",
        [
            "",
            "require 'socket'",
            "class TCPSocket\n  def own = 1\nend",
            "[Socket, TCPServer, SocketError].map { |one| Thread.new { one.name } }.each(&:join)",
            "%w[Socket TCPServer SocketError].map { |one| Thread.new { Object.const_get(one) } }.each(&:join)",
        ],
        ids=["named", "required", "opened", "one", "threads"],
    )
    def test_sockets_are_whole(self, before: str) -> None:
        """What of them is written in Ruby as well, however a function comes by them."""
        body = (
            "server = TCPServer.new('127.0.0.1', 0)\nclient = TCPSocket.new('127.0.0.1', server.addr[1])\n"
            "other = server.accept\nother.write('said')\nother.close\n"
            "read = [client.wait_readable.nil?, client.read_nonblock(9)]\n"
            "read + [client.remote_address.ip_port == server.addr[1], Socket.respond_to?(:tcp), TCPSocket.name,\n"
            " TCPSocket.ancestors.include?(BasicSocket), SocketError.superclass.name]"
        )
        answer = self.answer(rb(body, before))
        assert answer.kind == "response", answer
        assert answer.json() == [False, "said", True, True, "TCPSocket", True, "StandardError"]

    def test_an_event_beyond_ruby_fails_alone(self) -> None:
        """An event nested more deeply than Ruby's JSON allows is that invocation's error."""
        failed, then = self.run_files(self.packages["echo"], b"[" * 200 + b"]" * 200, {"n": 1})
        assert (failed.kind, failed.json()["errorType"]) == ("error", "Function<JSON::NestingError>")
        assert then.json() == {"n": 1}

    def test_log_lines_are_lambdas(self) -> None:
        """Time, process, level and request id; lines of one call are one message; a format of one's own stays."""
        body = (
            "l = Logger.new($stdout, progname: 'p')\nl.info(\"a\\nb\")\nputs ['c', ['d']], 'e'\nputs\n"
            "l.formatter = proc { |*, m| \"own #{m}\\n\" }\nl.warn('f')\nLogger.new('/dev/null').error('g')"
        )
        messages = self.answer(rb(body)).messages()
        assert re.fullmatch(
            rf"I, \[\d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{{6}} #\d+\]  INFO {REQUEST_ID} -- p: a\nb\n", messages[0]
        )
        assert messages[1:] == ["c\nd\ne\n", "\n", "own f\n"]

    def test_json_records_hold_what_was_logged(self) -> None:
        """PL-03: an exception with class, message and trace; a failure of the handler is a record as well."""
        body = "begin\n  raise ArgumentError, 'd'\nrescue => e\n  Logger.new($stdout).error(e)\nend\nraise 'boom'"
        answer = self.answer(rb(body), variables={"AWS_LAMBDA_LOG_FORMAT": "JSON", "AWS_LAMBDA_LOG_LEVEL": "TRACE"})
        logged, failed = (json.loads(message) for message in answer.messages())
        assert (logged["level"], logged["message"], logged["errorType"]) == ("ERROR", "d", "ArgumentError")
        assert "app.rb:" in logged["stackTrace"][0]
        assert (failed["level"], failed["requestId"]) == ("ERROR", REQUEST_ID)
        assert (failed["message"], failed["errorMessage"]) == ("Error raised from handler method", "boom")

    def test_text_is_utf_8(self) -> None:
        """PL-02: variables, files and answers, although the machine may not have the locale; what is not is marked."""
        body = (
            'puts event\nputs "\\xff".b\n'
            "[ENV['OWN'], File.read('own.txt'), File.read('own.txt').encoding.name, __method__.to_s.encoding.name]"
        )
        answer = self.answer({**rb(body), "own.txt": "愛"}, "é ’", variables={"OWN": "é"})
        assert answer.json()[:3] == ["é", "愛", "UTF-8"]
        assert answer.messages() == ["é ’\n", "\ufffd\n"]

    def test_the_client_context_arrives(self) -> None:
        """RT-03: what the caller sent, characters and all; nil where nothing was."""
        body = "[context.client_context, context.identity, context.tenant_id, context.deadline_ms.class.name]"
        answer = self.answer(rb(body), client_context='{"custom":{"a":"愛"}}')
        assert answer.json() == [{"custom": {"a": "愛"}}, None, None, "Integer"]

    def test_events_and_answers_may_be_marshalled_otherwise(self) -> None:
        """What a function puts in the place of AwsLambda::Marshaller's methods acts."""
        before = (
            "def (AwsLambda::Marshaller).marshall_request(raw) = [raw['Content-Type'], raw.body.encoding.name]\n"
            "def (AwsLambda::Marshaller).marshall_response(answer) = ['<' + answer.join(' ') + '>', 'text/plain']"
        )
        assert self.answer(rb("event", before)).body == b"<application/json UTF-8>"


class TestRubyWalled(RubyConformance):
    """Behind walls, where environments have Lambda's own paths."""

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()

    def test_the_places_are_lambdas(self) -> None:
        """Documented: the developer guide names them."""
        told = self.answer(rb("[Dir.pwd, ENV['LAMBDA_RUNTIME_DIR'], $0, ENV['GEM_PATH']]")).json()
        assert told[:3] == ["/var/task", "/var/runtime", "/var/runtime/index.rb"]
        assert told[3].startswith("/var/task/vendor/bundle/ruby/3.4.0:")
        assert ":/opt/ruby/gems/3.4.0:" in told[3]


class TestRubyAhead(RubyConformance):
    """What all runtimes do, in processes that were started before their function was known. See test_ahead.py."""

    starts_ahead = True

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _behind_walls(cls) -> None:
        cls.driver = walled_driver()
