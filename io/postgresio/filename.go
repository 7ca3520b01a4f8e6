package postgresio

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"
)

// FileName is a path as the commands show it, and as the ledger of a database has it
// whose encoding has all of its characters. Bytes that are not UTF-8, and NUL, are
// written as \xNN. So is a backslash that would read as the beginning of one, so
// that no two paths have the same name.
func FileName(path string) string {
	return escapeName(path, true, func(rune) bool { return false })
}

// escapeName writes as \xNN what a name can't hold: bytes that are not UTF-8, NUL, the
// characters that are lacked, and backslashes that would read as the beginning of an
// escape.
func escapeName(path string, backslashes bool, lacks func(rune) bool) string {
	if utf8.ValidString(path) && !strings.ContainsAny(path, "\x00\\") && !strings.ContainsFunc(path, lacks) {
		return path
	}
	var b strings.Builder
	for len(path) > 0 {
		r, n := utf8.DecodeRuneInString(path)
		if r == utf8.RuneError && n == 1 || r == 0 || lacks(r) || backslashes && r == '\\' && escapedByte.MatchString(path) {
			for _, c := range []byte(path[:n]) {
				fmt.Fprintf(&b, `\x%02X`, c)
			}
		} else {
			b.WriteString(path[:n])
		}
		path = path[n:]
	}
	return b.String()
}

// pathOf is the inverse of FileName, and of the name in any database.
func pathOf(name string) string {
	return escapedBytes.ReplaceAllStringFunc(name, func(escaped string) string {
		b, _ := strconv.ParseUint(escaped[2:], 16, 8) // two hexadecimal digits
		return string([]byte{byte(b)})
	})
}

// shownName is the FileName of a name in the ledger of any database.
func shownName(name string) string {
	if !strings.Contains(name, `\x`) {
		return name
	}
	return FileName(pathOf(name))
}

var (
	escapedBytes = regexp.MustCompile(`\\x[0-9A-F]{2}`)
	escapedByte  = regexp.MustCompile(`^\\x[0-9A-F]{2}`)
)
