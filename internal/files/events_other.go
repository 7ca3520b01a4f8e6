//go:build !linux

package files

import "errors"

// source is none: elsewhere the system either does not tell a rename from a file
// that is begun, or holds each file of a folder open.
type source struct{}

func openSource(*Events) (*source, error) { return nil, errors.ErrUnsupported }

func (*source) begin()                      {}
func (*source) end()                        {}
func (*source) close()                      {}
func (*source) moved() bool                 { return false }
func (*source) follow(string) (bool, error) { return false, nil }
