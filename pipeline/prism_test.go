//go:build e2e

package pipeline

func init() { testedRunners = append(testedRunners, RunnerPrism) }
