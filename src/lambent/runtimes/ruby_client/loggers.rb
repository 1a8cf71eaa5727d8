# Loggers: those for stdout or stderr write to the logs, in AWS's form. Loaded when somebody names Logger.
# frozen_string_literal: true

Lambent::Libraries.load_logger

module Lambent
  # Prepended to Logger: one for stdout or stderr writes to the logs, with their level and format unless it has its own.
  module LoggerPatch
    def initialize(device = nil, *rotation, level: nil, **options)
      logs = Lambent.logs
      is_standard = device.nil? || device.equal?($stdout) || device.equal?($stderr)
      level ||= is_standard ? logs.level : Logger::DEBUG
      super(is_standard ? logs : device, *rotation, level: level, **options)
      @default_formatter = LoggerPatch.formatter if is_standard
    end

    def self.formatter
      @formatter ||= Lambent.logs.json? ? JsonFormatter.new : LineFormatter.new
    end
  end

  # `I, [2018-09-05T10:28:14.000000 #9]  INFO <request id> -- : text`
  class LineFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      text = "#{severity[0]}, [#{format_datetime(time)} ##{Process.pid}] #{severity.rjust(5)} " \
             "#{$_global_aws_request_id} -- #{progname}: #{msg2str(message)}\n"
      Lambent.utf8(text)
    end
  end

  # One JSON object per record.
  class JsonFormatter < Logger::Formatter
    def call(severity, time, progname, message)
      record = { timestamp: Lambent.time_of(time), level: severity, message: Lambent.utf8(text_of(message)),
                 requestId: $_global_aws_request_id }
      record[:logger] = Lambent.utf8(progname.to_s) unless progname.to_s.empty?
      record.update(members_of(message)) if message.is_a?(Exception)
      "#{JSON.generate(record.compact)}\n"
    end

    private

    def text_of(message)
      message.is_a?(Exception) ? message.message : msg2str(message)
    end

    def members_of(exception)
      trace = Array(exception.backtrace).map { |line| Lambent.utf8(line) }
      first = /\A(?<file>.+):(?<line>\d+):in [`'](?<method>.+)'\z/.match(trace.first.to_s)
      location = first ? "#{first[:file]}:#{first[:method]}:#{first[:line]}" : trace.first
      { errorType: exception.class.to_s, errorMessage: Lambent.utf8(exception.message), stackTrace: trace,
        location: location }
    end
  end
end

Logger.prepend(Lambent::LoggerPatch)
