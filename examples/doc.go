// Package examples holds programs that use the library for structs and tables
// of their own.
package examples
