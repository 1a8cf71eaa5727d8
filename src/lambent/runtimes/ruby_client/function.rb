# From the handler's name to the method that serves events, and from values to JSON.
# frozen_string_literal: true

# Methods at the top level of a function's file are called upon one of these. It has no method of its own, which theirs
# would hide behind. The name is AWS's, and shows in messages: undefined method `nothing' for #<LambdaHandler:...>.
class LambdaHandler
end

module AwsLambda
  # From the Runtime API's bytes to a value and back. Functions may put methods of their own in the place of these.
  class Marshaller
    class << self
      # Return the event: JSON as what it says, all else as text.
      def marshall_request(event)
        event['Content-Type'] == 'application/json' ? JSON.parse(event.body) : event.body
      end

      # Return the answer, JSON; or the answer and its content type. What can be read is read and passed on as it is.
      def marshall_response(answer)
        return answer, Lambent::AS_IT_IS if [IO, StringIO].any? { |kind| answer.is_a?(kind) }

        answer.to_json
      end
    end
  end
end

module Lambent
  # The content type of an answer that is no JSON. Observed: AWS's.
  AS_IT_IS = 'application/unknown'

  # The function: `file.method` or `file.Class.method`.
  class Function
    # Observed: AWS's message.
    FORM = 'must be of form FILENAME.METHOD or FILENAME.CLASS.METHOD where FILENAME corresponds with an existing ' \
           'Ruby source file FILENAME.rb, CLASS is an optional module/class namespace and METHOD is a callable ' \
           'method. If using CLASS, METHOD must be a class-level method.'
    SHORT = 2
    LONG = 3

    # Load the file. Raises what the file raises.
    def initialize(root, handler)
      parts = handler.split('.')
      raise ArgumentError, "Invalid handler #{parts}, #{FORM}" unless [SHORT, LONG].include?(parts.size)

      file, *@class_name, @method_name = parts
      @receiver = LambdaHandler.new
      $LOAD_PATH.unshift(root) unless $LOAD_PATH.include?(root)
      path = File.join(root, "#{file}.rb")
      # By its path: one that is named like a library which is loaded already would be taken to be that.
      require(File.file?(path) ? path : file)
    end

    # Return what the handler answers. Raises what it raises.
    def call(event, context)
      if @class_name.empty?
        @receiver.__send__(@method_name, event: event, context: context)
      else
        Kernel.const_get(@class_name[0]).__send__(@method_name, event: event, context: context)
      end
    end
  end
end
