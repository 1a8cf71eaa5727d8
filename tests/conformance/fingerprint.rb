# A function that tells all that it sees of its process. `test_ahead.py` runs it on two paths and compares.

def of_self(name) = File.read("/proc/self/#{name}")

def descriptors
  Dir.children('/proc/self/fd').to_h do |name|
    [name, File.readlink("/proc/self/fd/#{name}").split(':').first]
  rescue SystemCallError
    # The one that listed them.
    [name, nil]
  end
end

WANTED = /^(Name|Umask|NS|Groups|Sig[BIC]|Shd|Cap|NoNewPrivs|Seccomp:|Threads)/
MOUNTS = [/^\S+ \S+ \S+ /, /lowerdir=[^,]*|loop\d+/].freeze
# Loaded before there is a function, or when it names them.
WAITING = [Logger, OpenStruct, JSON::GenericObject, Socket].freeze
BEFORE = [$LOADED_FEATURES.sort, Object.constants.sort, global_variables.sort].freeze

def handler(event:, context:)
  {
    # In any order: what stays where it was keeps its place.
    environ: ENV.to_h.sort,
    encodings: ENV.to_h.flatten.map { |text| text.encoding.name }.uniq,
    argv: [$0, $PROGRAM_NAME, ARGV, __FILE__, Process.argv0, RbConfig.ruby],
    cmdline: of_self('cmdline'),
    cwd: [Dir.pwd, File.readlink('/proc/self/cwd')],
    ids: [Process.pid, Process.ppid, File.umask, Process.groups.size, Process.getpriority(Process::PRIO_PROCESS, 0)],
    status: of_self('status').lines.grep(WANTED),
    session: of_self('stat').sub(/^.*\) \S+ /, '').split.first(5),
    limits: of_self('limits'),
    oom: of_self('oom_score_adj'),
    descriptors: descriptors,
    mounts: MOUNTS.inject(of_self('mountinfo')) { |text, what| text.gsub(what, '') },
    tmp: [File.stat('/tmp').mode, Dir.home],
    time: [Time.at(0).to_s, Time.at(0).zone],
    text: [Encoding.default_external, Encoding.default_internal, *%w[locale filesystem].map { |one| Encoding.find(one) },
           $stdin.external_encoding, $stdout.external_encoding, __ENCODING__].map(&:to_s),
    load_path: $LOAD_PATH,
    loaded: BEFORE,
    gems: [Gem.path, Gem.dir, Gem.user_dir, Gem::Specification.dirs, Gem.loaded_specs.map { |_, spec| spec.full_name },
           Gem::Specification.stubs.map(&:full_name).sort],
    mentioned: DidYouMean::RequirePathChecker.__send__(:const_get, :INITIAL_LOAD_PATH),
    classes: ObjectSpace.each_object(Module).map(&:inspect).grep(/\A[A-Z]/).sort,
    files: ObjectSpace.each_object(IO).reject(&:closed?).map(&:fileno).sort,
    ours: Lambent.constants.sort,
    locals: TOPLEVEL_BINDING.local_variables.sort,
    signals: Signal.list.keys.grep_v(/KILL|STOP|VTALRM|EXIT|SEGV|BUS|ILL|FPE/).to_h do |name|
      [name, trap(name, 'DEFAULT').inspect]
    rescue ArgumentError
      [name, 'reserved']
    end,
    threads: [Thread.list.size, Dir.children('/proc/self/task').size, Thread.main == Thread.current],
    gc: [GC.disable, GC.stress, GC.enable],
    error: [$!, $@, $~, $_].inspect,
    frames: caller,
    streams: [$stdin, $stdout, $stderr].map { |one| [one.stat.ftype, one.sync, one.tty?, one.binmode?] },
    children: `env | sort; ls /proc/self/fd; trap`
  }
end
