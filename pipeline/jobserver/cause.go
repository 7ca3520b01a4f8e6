package jobserver

import (
	"regexp"
	"strings"
)

// Runners tell a failure as a Java exception: class names, stack traces, and in
// between what happened.
var (
	javaClass  = regexp.MustCompile(`^(Caused by: )?([a-z][\w$]*\.)+[A-Z][\w$]*(Exception|Error|Throwable)(: |$)`)
	stackLine  = regexp.MustCompile(`^\s*(at [\w.$/<>]+\(|\.\.\. \d+ (more|common frames omitted))`)
	suppressed = regexp.MustCompile(`(?s)\n\s+Suppressed: .*`)
	inBundle   = regexp.MustCompile(`^Error received from SDK harness for instruction \S+: `)
	inDoFn     = regexp.MustCompile(`^DoFn\[.*\] failed:$`)
)

const (
	// javaCause begins an exception that led to the one before it.
	javaCause = "\nCaused by: "
	// goCause is how errors of the Go SDK lead to what caused them, on a line of its
	// own.
	goCause = "caused by:"
)

// cause returns, in one line, what went wrong first of all that a runner says:
// the innermost cause of the innermost exception. Where an exception just around
// it says the same and more, it is that one's message.
func cause(text string) string {
	exceptions := strings.Split(text, javaCause)
	innermost := message(exceptions[len(exceptions)-1])
	for i := len(exceptions) - 2; i >= 0; i-- {
		if around := message(exceptions[i]); around != innermost {
			if strings.Contains(around, innermost) {
				return around
			}
			break
		}
	}
	if innermost == "" {
		return strings.TrimSpace(text)
	}
	return innermost
}

// message is what one exception says, without its class and its stack.
func message(exception string) string {
	var lines []string
	for line := range strings.Lines(suppressed.ReplaceAllString(exception, "")) {
		if stackLine.MatchString(line) {
			continue
		}
		switch line = strings.TrimSpace(line); {
		case line == goCause:
			lines = nil // what led there
		case line != "" && !inDoFn.MatchString(line):
			lines = append(lines, line)
		}
	}
	m := strings.Join(lines, "; ")
	for javaClass.MatchString(m) {
		m = javaClass.ReplaceAllString(m, "")
	}
	return inBundle.ReplaceAllString(m, "")
}
