package main

import (
	"github.com/spf13/cobra"

	"github.com/cartstream/cartstream/pipeline"
)

func newConfig(a *app) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "config",
		Short: "The settings in force, and where each came from",
		Long: `Prints the settings that a run would have: the defaults, over them the settings
file, over that the variables CARTSTREAM_<SECTION>_<KEY>, such as
CARTSTREAM_STREAMING_TRIGGER_INTERVAL. Secrets are not shown.`,
		Example: `  cartstream config
  CARTSTREAM_POSTGRES_TABLE=shop.events cartstream config --output json`,
		Args: noArguments,
		RunE: func(*cobra.Command, []string) error {
			if err := checkOutput(output); err != nil {
				return err
			}
			_, all, err := pipeline.SettingsInForce(a.configPath)
			if err != nil {
				return err
			}
			if output == "json" {
				return failed(writeJSON(a.stdout, all))
			}
			t := newTable(a.stdout)
			for _, s := range append([]pipeline.Setting{{Key: "SETTING", Value: "VALUE", Origin: "FROM"}}, all...) {
				t.row("%s\t%s\t%s", s.Key, s.Value, s.Origin)
			}
			return failed(t.Flush())
		},
	}
	outputFlag(cmd, &output)
	return cmd
}
