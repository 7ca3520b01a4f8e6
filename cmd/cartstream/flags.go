package main

import (
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/cartstream/cartstream/internal/nearest"
	"github.com/cartstream/cartstream/pipeline"
)

// durationFlag adds a flag for a time, written as in the settings.
func durationFlag(cmd *cobra.Command, to *time.Duration, name string, value time.Duration, usage string) {
	*to = value
	cmd.Flags().Var((*durationValue)(to), name, usage)
}

// durationValue implements pflag.Value.
type durationValue time.Duration

// String is how help shows the default; "0" is none to show.
func (d *durationValue) String() string {
	if *d == 0 {
		return "0"
	}
	return time.Duration(*d).String()
}

func (d *durationValue) Set(s string) error {
	v, err := pipeline.ParseDuration(s)
	*d = durationValue(v)
	return err
}

func (d *durationValue) Type() string { return "duration" }

// wrongValue says what a flag takes.
func wrongValue(err *pflag.InvalidValueError) error {
	flag := err.GetFlag()
	switch kind := flag.Value.Type(); kind {
	case "duration":
		return fmt.Errorf("--%s: %w", flag.Name, errors.Unwrap(err))
	case "int", "int64", "uint64":
		return fmt.Errorf("--%s is %q, allowed is a whole number", flag.Name, err.GetValue())
	case "float64":
		return fmt.Errorf("--%s is %q, allowed is a number", flag.Name, err.GetValue())
	}
	return err
}

// explainFlag proposes, for a flag that is none, the nearest that is.
func explainFlag(cmd *cobra.Command, err error) error {
	var value *pflag.InvalidValueError
	if errors.As(err, &value) {
		return wrongValue(value)
	}
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) {
		return err
	}
	var names []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	if name := nearest.Name(unknown.GetSpecifiedName(), names); name != "" {
		return fmt.Errorf("%w; did you mean --%s?", err, name)
	}
	return err
}

// noArguments takes what stands after the flags for a pattern that the shell
// has expanded, where there is one, which is the usual reason.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if cmd.Flags().Lookup("input") == nil {
		return fmt.Errorf("found the argument %q, allowed are flags only", args[0])
	}
	return fmt.Errorf("found the argument %q, allowed are flags only; a pattern must stand in quotes, as in --input 'in/*.csv', "+
		"or the shell puts the names of the files in its place", args[0])
}

func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return fmt.Errorf("found no FILE, allowed is one, as in '%s in/a.csv'", cmd.CommandPath())
	}
	return atMostOneFile(cmd, args)
}

func atMostOneFile(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return fmt.Errorf("found %d arguments, from %q to %q, allowed is one FILE", len(args), args[0], args[len(args)-1])
	}
	return nil
}
