# What goes wrong in a function, and what is told of it.
# frozen_string_literal: true

module Lambent
  # An exception as the Runtime API gets it: `Function<ArgumentError>`, its message and its trace.
  class Failure
    FRAMES_MAX = 100
    CAUSE_FRAMES_MAX = 15
    CAUSE_BYTES_MAX = 1024 * 1024
    NAMED = %w[
      ArgumentError NoMethodError Exception StandardError NameError LoadError SystemExit SystemStackError
    ].freeze

    # `phase` is `Init`, `Function` or `Runtime`.
    def initialize(phase, exception)
      @name = exception.class.to_s
      @type = "#{phase}<#{@name}>"
      @message = text_of(exception)
      @frames = frames_of(exception)
    end

    # The header has the classes that are Ruby's own; the body has them all.
    def type_in_header
      NAMED.include?(@name) ? @type : 'Function<UserException>'
    end

    def body
      { errorMessage: @message, errorType: @type, stackTrace: @frames.map { |frame| utf8(frame.to_s) } }
    end

    # What X-Ray is to show, as a header takes it; nil where it is too long for one.
    def cause
      stack = @frames.first(CAUSE_FRAMES_MAX).map do |frame|
        { path: utf8(frame.path.to_s), line: frame.lineno, label: utf8(frame.label.to_s) }
      end
      told = {
        working_directory: Dir.pwd,
        paths: defined?(Gem) ? Gem.paths.path : [],
        exceptions: [{ message: @message, type: @type, stack: stack }]
      }
      text = JSON.generate(told, ascii_only: true)
      text if text.bytesize < CAUSE_BYTES_MAX
    rescue SystemCallError
      # The function has removed the folder that it is in.
      nil
    end

    private

    # The frames up to the first of this client, which says nothing to the function's author.
    def frames_of(exception)
      frames = exception.backtrace_locations || []
      frames.first(FRAMES_MAX).take_while { |frame| !frame.absolute_path.to_s.start_with?("#{__dir__}/") }
    end

    def text_of(exception)
      utf8(exception.message.to_s)
    rescue StandardError
      "an exception whose message cannot be had"
    end

    def utf8(text)
      Lambent.utf8(text)
    end
  end

  # Return a text as UTF-8, with a mark for each byte that is none.
  def self.utf8(text)
    text = text.dup.force_encoding(Encoding::UTF_8) if text.encoding == Encoding::BINARY
    text.encode(Encoding::UTF_8, invalid: :replace, undef: :replace, replace: "\uFFFD").scrub("\uFFFD")
  end
end
