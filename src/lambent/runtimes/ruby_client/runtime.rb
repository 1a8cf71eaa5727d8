# One invocation after the other, and how the process ends.
# frozen_string_literal: true

module Lambent
  # Serves the events of one environment.
  class Runtime
    # Observed: what AWS's exits with, here as a status: -4, -1 and -2.
    AFTER_INIT = 252
    AFTER_CRITICAL = 255
    AFTER_RUNTIME = 254

    def initialize(api, logs)
      @api = api
      @logs = logs
    end

    # Load the function and serve it until something ends that. Returns the status to exit with.
    def run(root, handler)
      begin
        @function = Function.new(root, handler)
      rescue SignalException
        raise
      rescue Exception => e # Also one that is no StandardError: a file that is no Ruby, or `exit`.
        failure = Failure.new('Init', e)
        @logs.failure("Init error when loading handler #{handler}", failure)
        @api.fail_init(failure)
        return AFTER_INIT
      end
      loop do
        status = serve(@api.next)
        return status unless status.nil?
      end
    rescue SignalException
      # The environment is shut down.
      0
    end

    private

    # Serve one event. Returns the status to exit with, or nil to go on.
    def serve(event)
      id = event['Lambda-Runtime-Aws-Request-Id']
      $_global_aws_request_id = id
      ENV['_X_AMZN_TRACE_ID'] = event['Lambda-Runtime-Trace-Id']
      begin
        answer, content_type = answer_to(event)
      rescue SignalException
        raise
      rescue Exception => e
        return report(id, e)
      end
      respond(id, answer, content_type)
    end

    def answer_to(event)
      # An event that is nested too deeply for Ruby's JSON fails this invocation. AWS's client ends over it.
      request = AwsLambda::Marshaller.marshall_request(event)
      AwsLambda::Marshaller.marshall_response(@function.call(request, LambdaContext.new(event)))
    end

    def respond(id, answer, content_type)
      answer = answer.read if content_type == AS_IT_IS
      @api.respond(id, answer.to_s, content_type || 'application/json')
      nil
    rescue RuntimeApi::Broken
      raise
    rescue StandardError => e
      @api.fail(id, Failure.new('Runtime', e))
      AFTER_RUNTIME
    end

    # Observed: after a StandardError the process serves on; but not after a name that is missing, which is one, nor
    # after what is none, such as `exit` or a stack that is used up.
    def report(id, exception)
      is_critical = exception.is_a?(NameError) || !exception.is_a?(StandardError)
      failure = Failure.new('Function', exception)
      @logs.failure(is_critical ? 'Critical exception from handler' : 'Error raised from handler method', failure)
      @api.fail(id, failure)
      AFTER_CRITICAL if is_critical
    end
  end
end
