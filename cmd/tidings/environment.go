package main

import (
	"os"
	"slices"

	"github.com/alecthomas/kong"
)

// environment makes variables that are empty count as unset: docker compose sets those that have no value.
func environment(app *kong.Kong) error {
	forgetEmpty(app.Model.Node)
	return nil
}

func forgetEmpty(node *kong.Node) {
	for _, flag := range node.Flags {
		flag.Tag.Envs = slices.DeleteFunc(flag.Tag.Envs, func(name string) bool {
			value, set := os.LookupEnv(name)
			return set && value == ""
		})
		flag.Envs = flag.Tag.Envs
	}
	for _, child := range node.Children {
		forgetEmpty(child)
	}
}
