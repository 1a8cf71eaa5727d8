# Greets, and shows what a function learns about the invocation that it serves.

require 'logger'
require 'time'

STARTED = Time.now.utc # Runs once in each execution environment.
LOGGER = Logger.new($stdout)

def lambda_handler(event:, context:)
  name = event.fetch('name', 'world')
  LOGGER.info("about to greet #{name}") # A line of the function's log, with time, level and request id.
  {
    greeting: "Hello, #{name}!",
    function: context.function_name,
    version: context.function_version,
    request_id: context.aws_request_id,
    memory_mib: context.memory_limit_in_mb.to_i,
    time_left_ms: context.get_remaining_time_in_millis,
    log: "#{context.log_group_name} #{context.log_stream_name}",
    ruby: RUBY_VERSION,
    runtime: ENV['AWS_EXECUTION_ENV'],
    environment_since: STARTED.iso8601
  }
end
