# What runs in the function's Ruby in the place of AWS's client: loads the function and serves it.
#
# In: the variables that a runtime starts with, events from the Runtime API. Out: answers and framed log records.
# Ruby 3.1 and newer, its own libraries only. Nothing here is on the load path, so that `require` of a function never
# finds a file of ours; names at the top level are AWS's or the one module `Lambent`, since a function sees them all.
#
# Observed: aws/aws-lambda-ruby-runtime-interface-client, 3.1.1.
# frozen_string_literal: true

# Most of what loading makes stays: to collect meanwhile finds little and takes 2 ms.
GC.disable
# RUBYLIB has folders of the package and of layers, as on AWS. What this client runs on is Ruby's own all the same.
given = (ENV['RUBYLIB'] || '').split(':').map { |folder| File.expand_path(folder) }
hidden = $LOAD_PATH.select { |path| given.include?(path) && !path.start_with?("#{RbConfig::CONFIG['prefix']}/") }
$LOAD_PATH.reject! { |path| hidden.include?(path) }
require_relative 'ahead'
require_relative 'libraries'
Lambent::Libraries.use_all_gems
begin
  # No address: no function yet, and all the time to load what one may want.
  is_ahead = !ENV.key?('AWS_LAMBDA_RUNTIME_API')
  Lambent::Libraries.load(hidden)

  require_relative 'context'
  require_relative 'errors'
  require_relative 'function'
  require_relative 'logs'
  require_relative 'runtime'
  require_relative 'runtime_api'

  Lambent::Libraries.load_all if is_ahead
  GC.enable
  # While it waits, Ruby does not look at folders which are not the function's.
  Lambent.wait_for_function if is_ahead
ensure
  $LOAD_PATH.unshift(*hidden)
end

# Where the locale of LANG is not installed, Ruby takes files to be ASCII.
Encoding.default_external = Encoding::UTF_8
$stdout.sync = true

logs = Lambent::Logs.new
logs.install
api = Lambent::RuntimeApi.new(ENV.fetch('AWS_LAMBDA_RUNTIME_API'))
exit Lambent::Runtime.new(api, logs).run(ENV.fetch('LAMBDA_TASK_ROOT'), ENV.fetch('_HANDLER'))
