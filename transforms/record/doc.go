// Package record holds the types that travel from a file to the database:
// the file versions a watcher finds, the ranges a splitter cuts them into, and
// the records a reader makes of a range.
//
// It is the leaf that every connector and transform may import, and imports
// the standard library only. All fields are exported, because Beam's coder
// drops unexported ones without a word.
package record
