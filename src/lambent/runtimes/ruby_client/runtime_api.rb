# The Runtime API, over one connection that is kept.
# frozen_string_literal: true

module Lambent
  # An event as it came: headers by `[]`, in whatever case, and the body.
  class RawRequest
    attr_reader :body

    def initialize(headers, body)
      @headers = headers
      @body = body
    end

    def [](name)
      @headers[name.downcase]
    end
  end

  # Speaks HTTP/1.1 itself: Net::HTTP takes three times as long to load, and as long again for each request.
  class RuntimeApi
    PREFIX = '/2018-06-01/runtime/'
    # Longer than any head of ours, so that what is no answer does not fill the memory.
    HEAD_BYTES_MAX = 1024 * 1024
    UNFIT_FOR_HEADER = /[^\x20-\x7e]/

    # Not an answer, or none at all: there is nothing left to serve.
    class Broken < StandardError
    end

    def initialize(address)
      @address = address
      @host, _, port = address.rpartition(':')
      @port = Integer(port, 10)
      @socket = nil
    end

    # Return the next event, however long it takes.
    def next
      status, headers, body = exchange('GET', 'invocation/next')
      raise Broken, "Received #{status} when waiting for next invocation." unless status == 200

      RawRequest.new(headers, body.force_encoding(Encoding::UTF_8))
    end

    # Post an answer. One that is too long is refused, and the invocation has failed by that.
    def respond(id, body, content_type)
      exchange('POST', "invocation/#{id}/response", body, 'Content-Type' => content_type)
    end

    # Post that an invocation failed.
    def fail(id, failure)
      post_error("invocation/#{id}/error", failure, failure.cause)
    end

    # Post that the function could not be loaded.
    def fail_init(failure)
      post_error('init/error', failure)
    end

    private

    def post_error(path, failure, cause = nil)
      fields = { 'Content-Type' => 'application/json',
                 'Lambda-Runtime-Function-Error-Type' => failure.type_in_header.gsub(UNFIT_FOR_HEADER, '?') }
      fields['Lambda-Runtime-Function-XRay-Error-Cause'] = cause unless cause.nil?
      exchange('POST', path, JSON.generate(failure.body), fields)
    end

    # Return status, headers by their names in lower case, and body.
    def exchange(method, path, body = nil, fields = {})
      head = +"#{method} #{PREFIX}#{path} HTTP/1.1\r\nHost: #{@address}\r\n"
      fields.each { |name, value| head << name << ': ' << value << "\r\n" }
      head << "Content-Length: #{body.bytesize}\r\n" unless body.nil?
      head << "\r\n"
      send_whole(head, body)
      receive
    end

    def send_whole(head, body)
      @socket ||= connected
      body.nil? ? @socket.write(head) : @socket.write(head, body)
    end

    def connected
      socket = Libraries.socket_class(:TCPSocket).new(@host, @port)
      socket.binmode
      socket.setsockopt(:TCP, :NODELAY, 1)
      socket
    end

    def receive
      head = @socket.gets("\r\n\r\n", HEAD_BYTES_MAX)
      raise Broken, 'The Runtime API closed the connection.' unless head&.end_with?("\r\n\r\n")

      first, *lines = head.split("\r\n")
      headers = lines.to_h do |line|
        name, value = line.split(':', 2)
        [name.downcase, value.to_s.strip]
      end
      body = body_of(headers)
      if headers['connection'] == 'close'
        @socket.close
        @socket = nil
      end
      [first.split(' ', 3)[1].to_i, headers, body]
    end

    def body_of(headers)
      length = headers.fetch('content-length', '0').to_i
      body = @socket.read(length)
      raise Broken, 'The Runtime API closed the connection in an answer.' if body.nil? || body.bytesize < length

      body
    end
  end
end
