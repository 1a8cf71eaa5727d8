# What `puts` and loggers write: AWS's text lines or JSON records, as frames on the telemetry descriptor.
#
# Loggers themselves are in loggers.rb, which is loaded for functions that have one.
# frozen_string_literal: true

module Lambent
  # What loggers write to, once there is a function.
  singleton_class.attr_accessor :logs

  # Return a time as records have it.
  def self.time_of(time)
    time.getutc.strftime('%Y-%m-%dT%H:%M:%S.%6NZ')
  end

  # Writes log messages whole, however many lines they have.
  class Logs
    FRAME_JSON = 0xa55a0002
    FRAME_TEXT = 0xa55a0003
    # TRACE is a level of Lambda, and none of Ruby.
    LEVELS = { 'TRACE' => 'DEBUG', 'DEBUG' => 'DEBUG', 'INFO' => 'INFO', 'WARN' => 'WARN', 'ERROR' => 'ERROR',
               'FATAL' => 'FATAL' }.freeze

    attr_reader :level

    def initialize
      @is_json = ENV['AWS_LAMBDA_LOG_FORMAT'].to_s.casecmp?('JSON')
      @level = LEVELS.fetch(ENV['AWS_LAMBDA_LOG_LEVEL'].to_s.upcase, 'DEBUG')
      # Programs that the function starts have no use for it.
      descriptor = ENV.delete('_LAMBDA_TELEMETRY_LOG_FD')
      @pipe = opened(descriptor)
    end

    def json?
      @is_json
    end

    # Put `puts`, and loggers that write to stdout or stderr, on these logs.
    def install
      Lambent.logs = logs = self
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
        record = { timestamp: Lambent.time_of(Time.now), level: 'ERROR', message: what,
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
end
