// Package files finds and reads the files of a pattern: on local paths with the
// operating system's own calls, elsewhere through the file systems that Beam
// has registered for a scheme (memfs, gs, s3 and whatever a program imports).
//
// A file is a record.File, one version: path, size and modification time, cut
// to microseconds. Where a store tells no modification times the time is 0, and
// path and size alone make the version.
//
// Beam's file systems list names only and read from the beginning only. So a
// listing asks for the size and time of each name, several at once, and a read
// further on than the last one skips what lies between: reading a file in its
// order costs one stream, reading it here and there costs a stream each time.
package files
