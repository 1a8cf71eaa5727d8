# Waits for a function: this process was started before one was known, see `sandbox.contract.Ahead`.
#
# In: one JSON object from the socket that LAMBENT_AHEAD names. Out: a process as if executed with what that holds, but
# for what is loaded and how long it has run. Nothing of a customer's is here before. No thread and no rehearsal: what
# the first invocation does in Ruby is compiled when its file is loaded.
# frozen_string_literal: true

module Lambent
  class << self
    # Return once there is a function, and this process is its.
    def wait_for_function
      link = IO.for_fd(Integer(ENV.fetch('LAMBENT_AHEAD'), 10), 'r+b')
      # What loading left behind is nobody's, and would be collected in an invocation.
      GC.start
      link.syswrite('R')
      text = link.read
      link.close
      exit!(0) if text.empty?

      become(JSON.parse(text))
    end

    private

    def become(given)
      ENV.replace(given['environ'])
      Dir.chdir(given['working_directory'])
      # RubyGems keeps where the folders of gems really are, and which gems there are. Package and layers may be links.
      Gem.clear_paths if defined?(Gem)
      Libraries.use_all_gems
    end
  end
end
