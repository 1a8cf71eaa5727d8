# The libraries of Ruby's own that a function has from the beginning: this client runs on them, or on what they load.
#
# What the client does without waits until somebody names it: Logger, OpenStruct, and what is written in Ruby of Socket.
# Until then it is as if it were there: its constants are defined, its gems are active, and `require` loads no other. A
# process that is started ahead has the time to load all of it.
# frozen_string_literal: true

module Lambent
  # What is loaded, how, and when.
  module Libraries
    # The gems that these libraries are in some version of Ruby.
    SPECIFICATION = /\A(io-wait|json|logger|ostruct|stringio)-\d/.freeze

    class << self
      # Parts of Ruby's library are gems by now, which a GEM_PATH of the user's may leave out.
      def use_all_gems
        return if !defined?(Gem) || Gem.path.include?(Gem.default_dir)

        Gem.use_paths(Gem.dir, Gem.path | [Gem.default_dir])
      end

      # Load them, but for what may wait. `hidden` are the folders in which `require` looks first once all is loaded.
      def load(hidden)
        load_what_is_needed(hidden)
      rescue StandardError, ScriptError
        # A Ruby, or a RubyGems, that is made otherwise: everything at once, as anybody would.
        load_plainly
      end

      # Return a class of sockets without naming it: as far as it is loaded.
      def socket_class(name)
        @socket_classes.nil? ? Object.const_get(name) : @socket_classes.fetch(name)
      end

      # Load what waits as well.
      def load_all
        [JSON::GenericObject, Logger, Socket]
      end

      # Load Ruby's Logger: now, or when it is being named.
      def load_logger
        @logger.empty? ? require('logger') : load_waiting(@logger)
      end

      # Load what JSON would have loaded.
      def load_generic_object
        load_waiting(@generic_object)
      end

      # Load what is written in Ruby of the classes for sockets.
      def load_sockets
        @socket_classes.each { |name, value| Object.const_set(name, value) }
        load_waiting(@socket)
      end

      private

      def load_what_is_needed(hidden)
        @generic_object = settled?('json') ? found('json', 'json/generic_object.rb') : []
        @logger = settled?('logger') ? found('logger', 'logger.rb', 'logger/*.rb') : []
        @socket = defined?(::Socket) ? [] : found('socket', 'socket.rb')
        # In one go: after each change of this list Ruby looks up where every file of it really is, for 0.4 ms.
        $LOADED_FEATURES.concat(@generic_object, @logger, @socket)
        require 'json'
        put_off_generic_object(hidden) unless @generic_object.empty?
        @logger.empty? ? require_relative('loggers') : Object.autoload(:Logger, "#{__dir__}/loggers.rb")
        settled?('io-wait', 'io/wait')
        @socket.empty? ? require('socket') : put_off_sockets
        settled?('stringio')
        require 'stringio'
      end

      def load_plainly
        waiting = [@generic_object, @logger, @socket].compact.flatten
        $LOADED_FEATURES.reject! { |path| waiting.include?(path) }
        @generic_object = @logger = @socket = []
        put_off = [[Object, :Logger], [Object, :OpenStruct]]
        put_off << [JSON, :GenericObject] if defined?(JSON)
        put_off.each { |place, name| place.__send__(:remove_const, name) if place.autoload?(name) }
        (@socket_classes || {}).each { |name, value| Object.const_set(name, value) }
        @socket_classes = nil
        %w[json json/generic_object logger ostruct socket stringio].each { |name| require name }
        require_relative 'loggers'
      end

      # Whether a library is not loaded, and can only be the one that comes with Ruby. Its gem is active then, as after
      # `require`, which has RubyGems look for all there are, for 2 ms.
      def settled?(name, path = name)
        return false if !defined?(Gem) || defined?(Bundler)

        gem = Gem.find_unresolved_default_spec(path)
        return false if gem.nil? || Gem.loaded_specs.key?(name) || count_of(name) != 1

        # What is in a folder of `-I` is taken from there, and then is no gem.
        given = $LOAD_PATH.first(Gem.load_path_insert_index || 0)
        is_given = given.product(Gem.suffixes).any? { |folder, suffix| File.file?("#{folder}/#{path}#{suffix}") }
        gem.activate unless is_given
        true
      end

      def count_of(name)
        @counts ||= [*Gem::Specification.dirs, Gem.default_specifications_dir].flat_map do |folder|
          File.directory?(folder) ? Dir.children(folder).filter_map { |file| file[SPECIFICATION, 1] } : []
        end.tally
        @counts[name]
      end

      # Return the files that match, in the folder where a library is found.
      def found(name, *patterns)
        folder = File.dirname($LOAD_PATH.resolve_feature_path(name).last)
        Dir.glob(patterns, base: folder).map { |file| "#{folder}/#{file}" }
      end

      # JSON has a class for objects of any members, a kind of OpenStruct, which takes as long to load as JSON itself.
      # New versions wait with it on their own.
      def put_off_generic_object(hidden)
        if JSON.const_source_location(:GenericObject)
          @generic_object.each { |path| $LOADED_FEATURES.delete(path) }
        elsif !settled?('ostruct') || hidden.any? { |folder| File.exist?("#{folder}/ostruct.rb") }
          # A function's `require` could find another one first.
          load_generic_object
        else
          JSON.autoload(:GenericObject, "#{__dir__}/generic_object.rb")
          Object.autoload(:OpenStruct, $LOAD_PATH.resolve_feature_path('ostruct').last)
        end
      end

      # The part in C has all that the client calls. Nobody comes by an object of these classes but by their names.
      def put_off_sockets
        before = Object.constants
        require 'socket.so'
        require 'io/wait'
        @socket_classes = (Object.constants - before).to_h { |name| [name, Object.__send__(:remove_const, name)] }
        @socket_classes.each_key { |name| Object.autoload(name, "#{__dir__}/sockets.rb") }
      end

      # Load a file that passed for loaded, and others with it.
      def load_waiting(paths)
        $LOADED_FEATURES.reject! { |path| paths.include?(path) }
        require(paths.first) unless paths.empty?
      end
    end
  end
end
