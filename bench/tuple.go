package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"time"
)

// keyOffset is where the key stands in a tuple: behind the number of the columns
// and its own length.
const keyOffset = 2 + 4

// postgresEpoch is 2000-01-01 UTC, from which PostgreSQL counts microseconds.
var postgresEpoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).Unix()

// tupleParser turns lines of generated valid events into tuples. It looks at
// nothing that it need not.
type tupleParser struct {
	day     string // the last one, and its seconds from the epoch
	seconds int64
}

var errLine = errors.New("a line is no generated event")

// appendTuple appends the first line of text as a tuple and returns the rest.
func (p *tupleParser) appendTuple(dst, text []byte) (tuple, rest []byte, err error) {
	if len(text) < 37 {
		return nil, nil, errLine
	}
	dst = binary.BigEndian.AppendUint16(dst, 8)
	if dst, err = appendUUID(dst, text[:36]); err != nil {
		return nil, nil, err
	}
	text = text[37:]
	for range 5 { // user, product, name, category, type
		length := len(dst)
		dst = append(dst, 0, 0, 0, 0)
		if dst, text, err = appendText(dst, text); err != nil {
			return nil, nil, err
		}
		binary.BigEndian.PutUint32(dst[length:], uint32(len(dst)-length-4))
	}
	comma := bytes.IndexByte(text, ',')
	end := bytes.IndexByte(text, '\n')
	if comma < 0 || end < comma {
		return nil, nil, errLine
	}
	dst = appendPrice(dst, text[:comma])
	dst, err = p.appendTimestamp(dst, text[comma+1:end])
	return dst, text[end+1:], err
}

func appendUUID(dst, text []byte) ([]byte, error) {
	dst = binary.BigEndian.AppendUint32(dst, 16)
	for _, part := range [][]byte{text[:8], text[9:13], text[14:18], text[19:23], text[24:36]} {
		var err error
		if dst, err = hex.AppendDecode(dst, part); err != nil {
			return nil, err
		}
	}
	return dst, nil
}

// appendText appends the first field and returns what is behind its comma.
func appendText(dst, text []byte) (field, rest []byte, err error) {
	if len(text) == 0 || text[0] != '"' {
		i := bytes.IndexByte(text, ',')
		if i < 0 {
			return nil, nil, errLine
		}
		return append(dst, text[:i]...), text[i+1:], nil
	}
	for text = text[1:]; ; text = text[1:] {
		i := bytes.IndexByte(text, '"')
		if i < 0 || i+1 >= len(text) {
			return nil, nil, errLine
		}
		dst = append(dst, text[:i]...)
		if text = text[i+1:]; text[0] != '"' {
			return dst, text[1:], nil
		}
		dst = append(dst, '"') // it was doubled
	}
}

// appendPrice appends a numeric with two decimals, or NULL: digits to the base of
// 10,000 with the weight of the first (PostgreSQL, numeric_recv).
func appendPrice(dst, text []byte) []byte {
	if len(text) == 0 {
		return binary.BigEndian.AppendUint32(dst, 1<<32-1)
	}
	var cents uint32
	for _, c := range text {
		if c != '.' {
			cents = cents*10 + uint32(c-'0')
		}
	}
	groups := []uint16{uint16(cents / 100 / 10_000), uint16(cents / 100 % 10_000), uint16(cents % 100 * 100)}
	weight := uint16(1)
	for ; len(groups) > 1 && groups[0] == 0; weight-- {
		groups = groups[1:]
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(8+2*len(groups)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(groups)))
	dst = binary.BigEndian.AppendUint16(dst, weight)
	dst = binary.BigEndian.AppendUint16(dst, 0) // positive
	dst = binary.BigEndian.AppendUint16(dst, 2) // decimals
	for _, g := range groups {
		dst = binary.BigEndian.AppendUint16(dst, g)
	}
	return dst
}

// appendTimestamp takes 2006-01-02 15:04:05.000000.
func (p *tupleParser) appendTimestamp(dst, text []byte) ([]byte, error) {
	if len(text) != len("2006-01-02 15:04:05.000000") {
		return nil, errLine
	}
	if day := text[:10]; string(day) != p.day {
		at, err := time.Parse(time.DateOnly, string(day))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errLine, err)
		}
		p.day, p.seconds = string(day), at.Unix()-postgresEpoch
	}
	seconds := p.seconds + digits(text[11:13])*3600 + digits(text[14:16])*60 + digits(text[17:19])
	dst = binary.BigEndian.AppendUint32(dst, 8)
	return binary.BigEndian.AppendUint64(dst, uint64(seconds*1_000_000+digits(text[20:26]))), nil
}

func digits(text []byte) (n int64) {
	for _, c := range text {
		n = n*10 + int64(c-'0')
	}
	return n
}
