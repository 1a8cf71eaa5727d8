# What `puts` and loggers write: AWS's text lines or JSON records, as frames on the telemetry descriptor.
# frozen_string_literal: true

module Lambent
  # Writes log messages whole, however many lines they have.
  class Logs < Logger::LogDevice
    FRAME_JSON = 0xa55a0002
    FRAME_TEXT = 0xa55a0003
    # TRACE is a level of Lambda, and none of Ruby.
    LEVELS = { 'TRACE' => 'DEBUG', 'DEBUG' => 'DEBUG', 'INFO' => 'INFO', 'WARN' => 'WARN', 'ERROR' => 'ERROR',
               'FATAL' => 'FATAL' }.freeze

    attr_reader :level, :formatter

    def initialize
      @is_json = ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.casecmp?('JSON')
      @level = LEVELS.fetch(ENV['AWS_LAMBDA_LOG_LEVEL'].to_s.upcase, 'DEBUG')
      @formatter = @is_json ? JsonFormatter.new : LineFormatter.new
      # Programs that the function starts have no use for it.
      descriptor = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      @pipe = opened(descriptor)
    end

    # Put `puts`, and loggers that write to stdout or stderr, on these logs.
    def install
      logs = self
      Logger.prepend(LoggerPatch.new(logs))
      return if @pipe.nil?

      # Observed: AWS's makes one message of each call; `print`, `p` and `$stdout.puts` stay as they are.
      Kernel.define_method(:puts) do |*values|
        logs.say(values.flatten.map { |value| Lambent.utf8(value.to_s) }.join("\n"))
      end
      Kernel.__send__(:private, :puts)
    end

    # Write a text as one message. A line ends where it did on stdout.
    def say(text)
      frame(FRAME_TEXT, text.end_with?("\n") ? text : "#{text}\n")
      nil
    end

    # Write that something failed, with all that is known of it.
    def failure(what, failure)
      if @is_json
        told = failure.body
        record = { timestamp: JsonFormatter.time_of(Time.now), level: 'ERROR', message: what,
                   requestId: $_global_aws_request_id, **told }
        frame(FRAME_JSON, JSON.generate(record.compact))
      else
        say(what)
        say(JSON.pretty_generate(failure.body))
      end
    end

    # -- as the device of a Logger

    def write(message)
      if @is_json
        # A record is whole in itself.
        frame(FRAME_JSON, message.chomp)
      else
        frame(FRAME_TEXT, message)
      end
    end

    def reopen(_log = nil, **_options)
      self
    end

    def close; end

    private

    def opened(descriptor)
      return if descriptor.nil?

      pipe = IO.for_fd(Integer(descriptor, 10), 'wb', autoclose: false)
      pipe.sync = true
      pipe.close_on_exec = true
      pipe
    rescue ArgumentError, SystemCallError
      # Not a descriptor, or closed: stdout will do.
      nil
    end

    def frame(type, text)
      if @pipe.nil?
        $stdout.write(text.end_with?("\n") ? text : "#{text}\n")
        return
      end
      message = text.b
      now = Process.clock_gettime(Process::CLOCK_REALTIME, :microsecond)
      @pipe.write([type, message.bytesize, now].pack('L>L>Q>') << message)
    end
  end

  # Prepended to Logger: one for stdout or stderr writes to the logs, with their level and format unless it has its own.
  class LoggerPatch < Module
    def initialize(logs)
      super()
      define_method(:initialize) do |device = nil, *rotation, level: nil, **options|
        is_standard = device.nil? || device.equal?($stdout) || device.equal?($stderr)
        level ||= is_standard ? logs.level : Logger::DEBUG
        super(is_standard ? logs : device, *rotation, level: level, **options)
        @default_formatter = logs.formatter if is_standard
      end
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
    def self.time_of(time)
      time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ')
    end

    def call(severity, time, progname, message)
      record = { timestamp: JsonFormatter.time_of(time), level: severity, message: Lambent.utf8(text_of(message)),
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
