package embeddedpg

import (
	"log/slog"
	"strings"
)

// childEnv is the environment variable that asks this executable to be the
// child.
const childEnv = "CARTSTREAM_EMBEDDEDPG_CHILD"

// setup is the first message to the child. It travels over the pipe, where no
// process list shows it.
type setup struct {
	place
	Port, PreferPort int
	Parameters       map[string]string
	Programs         string
}

// command is every later message to the child; it answers each with one reply.
type command struct{ Op string }

const (
	opKill    = "kill"
	opRestart = "restart"
)

// reply is the child's message: a line for the log where Log is set, else the
// answer to the setup or to a command.
type reply struct {
	Log   string
	Level slog.Level

	Error    string
	Port     int
	Password string
}

// shellQuote quotes s for a POSIX shell where it needs it.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("/._-+,:=@%", r) ||
			'0' <= r && r <= '9' || 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z'
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
