# shellcheck shell=bash
# What the scripts in this folder share. It is sourced, never run; who sources
# it sets me to its own name, for messages.

set -euo pipefail
: "${me:?}"
deploy=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=versions.env
. "$deploy/versions.env"

say() { printf '%s: %s\n' "$me" "$*" >&2; }

die() {
  say "$*"
  exit 1
}

wrong_usage() {
  say "$* (--help has examples)"
  exit 2
}

# --- options ---

# value "$@": the value of the option $1.
value() {
  if [ $# -lt 2 ]; then
    wrong_usage "$1 needs a value"
  fi
  printf '%s\n' "$2"
}

# number OPTION VALUE LEAST MOST
number() {
  if ! [[ $2 =~ ^[0-9]{1,9}$ ]] || [ "$2" -lt "$3" ] || [ "$2" -gt "$4" ]; then
    wrong_usage "$1 takes a number from $3 to $4, not '$2'"
  fi
}

# free OPTION PORT: refuses a port of 127.0.0.1 that somebody listens on.
free() {
  if (exec 3<>"/dev/tcp/127.0.0.1/$2") 2>/dev/null; then
    die "port $2 is taken; choose another with $1"
  fi
}

# folder OPTION DIR: the absolute path of a folder, made where it is not there.
folder() {
  mkdir -p -- "$2" 2>/dev/null || die "$1: cannot make the folder $2"
  (cd -- "$2" && pwd)
}

# --- what has to be there ---

# need PROGRAM WHAT_FOR HOW_TO_GET
need() {
  command -v "$1" >/dev/null || die "$1 is missing: it $2; $3"
}

# Sets java to the program, and refuses versions that are known not to do.
need_java() {
  local how='install a JDK 17 (on Debian and Ubuntu openjdk-17-jdk-headless), or set JAVA_HOME' version
  java=${JAVA_HOME:+$JAVA_HOME/bin/}java
  need "$java" "runs $1" "$how"
  version=$("$java" -version 2>&1 | sed -n 's/.* version "\([0-9]*\).*/\1/p' | head -n 1)
  if [ "${version:-0}" -lt 11 ] || [ "$version" -gt 17 ]; then
    die "$1 needs Java 11 to 17, and $java is ${version:-of no known version}; $how"
  fi
}

# --- the cache ---

# fetched NAME FUNCTION: sets fetched to a folder of the cache that FUNCTION has
# filled, once: it works on a folder beside it, which is renamed when it is
# complete. A second caller waits for the first.
fetched() {
  local home=${XDG_CACHE_HOME:-${HOME:?neither XDG_CACHE_HOME nor HOME is set}/.cache}/cartstream/deploy
  fetched=$home/$1
  if [ ! -d "$fetched" ]; then
    mkdir -p "$home" || die "cannot make the cache $home; XDG_CACHE_HOME can name another place"
    # In the background, since a signal is heeded while bash waits.
    fetch "$2" 8>"$fetched.lock" 9>&- &
    wait $!
  fi
}

fetch() {
  local part=$fetched.part.$$
  if command -v flock >/dev/null; then
    flock 8
    rm -rf "$fetched".part.*
  fi
  if [ ! -d "$fetched" ]; then
    # shellcheck disable=SC2064 # of the path as it is now
    trap "rm -rf '$part'" EXIT
    mkdir "$part"
    "$1" "$part"
    # Where there is no flock the other may have been first.
    mv "$part" "$fetched" 2>/dev/null || [ -d "$fetched" ]
  fi
}

# hash_of FILE...: a hash of their content, for names in the cache.
hash_of() { cat "$@" | cksum | tr ' ' -; }

# beam_jars KIND NAME: sets fetched to a folder with the jars of KIND/pom.xml, and
# with what there is in Java for them, the agent and KIND/*.java, in
# beam-agent.jar.
beam_jars() {
  local pom=$deploy/$1/pom.xml source sources=("$deploy/BeamAgent.java")
  for source in "$deploy/$1"/*.java; do
    [ ! -e "$source" ] || sources+=("$source")
  done
  fill() {
    copy_jars "$pom" "$1"
    compile "$1" "${sources[@]}"
  }
  fetched "$2-$(hash_of "$pom" "$deploy/versions.env" "${sources[@]}")" fill
}

copy_jars() {
  need mvn "fetches the jars of Beam's job server" 'install Maven (on Debian and Ubuntu: maven)'
  say 'fetching jars with Maven, once (about a minute)'
  # Java takes the home of the password file, which need not be there or be HOME.
  MAVEN_OPTS="${HOME:+-Duser.home=$HOME} ${MAVEN_OPTS-}" start maven mvn --batch-mode --quiet -Dstyle.color=never --file "$1" dependency:copy-dependencies \
    -DincludeScope=runtime "-DoutputDirectory=$2" \
    "-Dbeam.version=$BEAM_VERSION" \
    "-Dflink.version=$FLINK_VERSION" "-Dflink.line=${FLINK_VERSION%.*}" \
    "-Dspark.version=$SPARK_VERSION" "-Dhadoop.version=$HADOOP_VERSION" \
    "-Dkryo.version=$KRYO_VERSION" "-Dcommons-io.version=$COMMONS_IO_VERSION" \
    "-Dslf4j.version=$SLF4J_VERSION" \
    "-Dmaven-dependency-plugin.version=$MAVEN_DEPENDENCY_PLUGIN_VERSION" >"$2/maven.log" 2>&1
  ended maven "$started"
  if [ "$status" -gt 128 ]; then
    exit "$status" # the script was told to stop
  elif [ "$status" -ne 0 ]; then
    die "Maven could not fetch the jars of Beam's job server; is its repository within reach? $(sed -n 's/.*\[ERROR\] //p' "$2/maven.log" | head -n 1)"
  fi
  rm "$2/maven.log"
}

# compile DIR SOURCE...
compile() {
  need "${java%java}javac" "compiles what keeps Beam's services on 127.0.0.1, once" \
    'install a JDK rather than a JRE (on Debian and Ubuntu openjdk-17-jdk-headless)'
  cd "$1"
  shift
  mkdir classes
  "${java%java}javac" --release 11 -cp './*' -d classes "$@"
  printf 'Premain-Class: BeamAgent\nClass-Path: %s\n' byte-buddy-*.jar >manifest
  "${java%java}jar" --create --file beam-agent.jar --manifest manifest -C classes .
  rm -r classes manifest
}

# --- processes ---
#
# Each JVM leads a process group, in which its workers are too. A guard in a
# group of its own ends the groups when the script has gone, in whatever way: it
# waits for the end of a pipe that only the script holds open.

# Sets run to the folder of this run, and starts its guard.
guarded() {
  run=$(mktemp -d "${TMPDIR:-/tmp}/cartstream-deploy.XXXXXX")
  mkdir "$run/groups" "$run/tmp"
  mkfifo "$run/alive"
  set -m
  guard <"$run/alive" &
  set +m
  exec 9>"$run/alive"
  trap finish EXIT
  trap 'exit 0' HUP INT TERM
}

guard() {
  trap '' HUP INT TERM
  read -r _ || true
  local file
  for file in "$run"/groups/*; do
    [ ! -e "$file" ] || kill -TERM "$(cat "$file")" 2>/dev/null || true
  done
  for file in "$run"/groups/*; do
    [ ! -e "$file" ] || end_group "$(cat "$file")"
  done
  if [ -e "$run/pid-files" ]; then
    while read -r file; do rm -f -- "$file"; done <"$run/pid-files"
  fi
  rm -rf "$run"
}

finish() {
  local status=$?
  trap '' HUP INT TERM
  exec 9>&-
  wait
  exit "$status"
}

# start NAME COMMAND...: runs it in a group of its own, which the guard knows of
# before the pipe is let go of, and in the folder of this run, since Beam's boot
# program writes into the working folder. Sets started to its process.
start() {
  local name=$1
  shift
  set -m
  # shellcheck disable=SC2016 # for sh to expand
  sh -c 'echo $$ >"$0/groups/$1" && exec 9>&- && cd "$0/tmp" && shift && exec "$@"' "$run" "$name" "$@" </dev/null &
  started=$!
  set +m
}

# ended NAME PROCESS: takes note that a process has ended, and ends its group.
# Sets status to its exit status.
ended() {
  status=0
  wait "$2" 2>/dev/null || status=$?
  end_group "$2"
  rm -f "$run/groups/$1"
}

# The leader is asked first: a JVM stops its workers, and they may finish.
end_group() {
  signal TERM "$1" 100
  signal TERM "-$1" 20
  signal KILL "-$1" 50
}

# signal NAME PROCESS TENTHS: sends it, and waits so long for it to be heeded.
signal() {
  if kill "-$1" -- "$2" 2>/dev/null; then
    gone "$2" "$3" || true
  fi
}

# gone PROCESS TENTHS: waits until a process, or all of a group, are gone.
gone() {
  local i
  for ((i = 0; i < $2; i++)); do
    alive "$1" || return 0
    pause 0.1
  done
  return 1
}

# alive PROCESS, or -GROUP. What has ended and only waits to be noticed by its
# parent (which may take its time after the JVM between has gone) is not alive.
alive() {
  kill -0 -- "$1" 2>/dev/null || return 1
  { ps -A -o pid= -o pgid= -o stat= 2>/dev/null || true; } |
    awk -v id="$1" '($1 == id || "-" $2 == id) && $3 !~ /^Z/ { found = 1 } END { exit NR && !found }'
}

# A sleep that ends with a signal to the script, and does not hold the pipe.
pause() {
  sleep "$1" 9>&- &
  wait $! || true
}

# --- Java programs ---

# Loggers whose warnings say nothing to a user.
quiet=(
  org.apache.beam.runners.jobsubmission.InMemoryJobService # a folder to be removed was never made
  org.apache.flink.runtime.security.token                  # no Kerberos
  org.apache.flink.runtime.webmonitor                      # no log file of its own
  org.apache.hadoop.util.NativeCodeLoader                  # no native Hadoop
)

# logging LEVEL: the settings of java.util.logging, for messages on stderr.
logging() {
  cat <<END
handlers = java.util.logging.ConsoleHandler
.level = $1
java.util.logging.ConsoleHandler.level = $1
java.util.logging.SimpleFormatter.format = %1\$tF %1\$tT.%1\$tL %4\$s %3\$s: %5\$s%6\$s%n
$(printf '%s.level = SEVERE\n' "${quiet[@]}")
END
}

# opened PACKAGE...: adds to java_options what lets code into packages of
# java.base that Java 17 keeps shut.
opened() {
  local package
  for package in "$@"; do
    java_options+=(--add-opens "java.base/$package=ALL-UNNAMED")
  done
}

# Sets java_options to what any JVM of Spark's needs.
spark_java() {
  java_options=("-javaagent:$fetched/beam-agent.jar")
  opened java.lang java.lang.invoke java.lang.reflect java.io java.net java.nio java.util \
    java.util.concurrent java.util.concurrent.atomic sun.nio.ch sun.nio.cs sun.security.action sun.util.calendar
}

# agent WORD...: the option of Java's that loads the agent, with what it is told.
agent() {
  local IFS=,
  printf -- '-javaagent:%s/beam-agent.jar%s' "$fetched" "${*:+=$*}"
}

# By which name others reach a job server, and where it keeps the workers' binaries.
host=127.0.0.1 artifacts=''

# serve CLASS ARGUMENT...: runs a job server until it ends or the script is told
# to. Its own log goes to stderr from warnings on; where it listens is found in a
# file.
serve() {
  local class=$1 address=''
  shift
  logging WARNING >"$run/logging.properties"
  cat >>"$run/logging.properties" <<END
org.apache.beam.runners.jobsubmission.JobServerDriver.level = INFO
org.apache.beam.runners.jobsubmission.JobServerDriver.handlers = java.util.logging.FileHandler
java.util.logging.FileHandler.pattern = $run/started.log
java.util.logging.FileHandler.formatter = java.util.logging.SimpleFormatter
END
  start jobserver "$java" "${java_options[@]}" \
    "-Djava.io.tmpdir=$run/tmp" "-Djava.util.logging.config.file=$run/logging.properties" \
    -cp "$fetched/*" "$class" "--job-host=$host" "--artifacts-dir=${artifacts:-$run/artifacts}" "$@"
  while [ -z "$address" ] && kill -0 "$started" 2>/dev/null; do
    pause 0.2
    address=$(sed -n 's/.*JobService started on //p' "$run/started.log" 2>/dev/null) || true
  done
  if [ -n "$address" ]; then
    say "ready on $address"
  fi
  wait "$started" 2>/dev/null || true
  ended jobserver "$started"
  die "the job server has ended, status $status"
}

# --- clusters ---
#
# names holds the processes in the order in which they are started, dir is where
# their logs are; launch NAME starts one, and is the script's own.
names=() processes=() dir=''

# show_logs: has the logs on stderr too, from now on.
show_logs() {
  local logs=("${names[@]/%/.log}")
  (cd "$dir" && touch "${logs[@]}")
  start logs tail -q -n +1 -F "${logs[@]/#/$dir/}" >&2
  disown "$started"
}

# launch_all: starts them, and notes their processes in $dir.
launch_all() {
  local i
  for i in "${!names[@]}"; do
    launched "$i"
  done
}

launched() {
  launch "${names[$1]}" >>"$dir/${names[$1]}.log" 2>&1
  disown "$started" # or bash would say that it was killed
  processes[$1]=$started
  printf '%s\n' "$started" >"$dir/${names[$1]}.pid"
  printf '%s\n' "$dir/${names[$1]}.pid" >>"$run/pid-files"
}

# check_all RESTART: looks whether one has ended. Starts it again a second later,
# or without RESTART ends the script.
check_all() {
  local i name
  for i in "${!names[@]}"; do
    name=${names[$i]}
    if ! alive "${processes[$i]}"; then
      ended "$name" "${processes[$i]}"
      rm -f "$dir/$name.pid"
      if [ -z "$1" ]; then
        die "$name has ended; the last of its log: $(tail -n 1 "$dir/$name.log" | cut -c 1-300)"
      fi
      say "$name has ended and is started again"
      pause 1
      launched "$i"
    fi
  done
}
