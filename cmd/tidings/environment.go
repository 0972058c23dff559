package main

import (
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// environment names the variable of each flag, unless its tag does: that of serve, and of what holds for every command, is
// TIDINGS_ROLE for --role; that of a tool has the tool's name in it, as TIDINGS_TOKEN_ROLE for token --role, so that no tool
// takes what was meant for the service. A variable that is empty counts as unset: docker compose sets those that have no value.
func environment(app *kong.Kong) error {
	nameVariables(app.Model.Node, "TIDINGS_")
	return nil
}

func nameVariables(node *kong.Node, prefix string) {
	for _, flag := range node.Flags {
		if len(flag.Tag.Envs) == 0 && flag.Name != "help" {
			flag.Tag.Envs = []string{prefix + variableName(flag.Name)}
		}
		flag.Tag.Envs = slices.DeleteFunc(flag.Tag.Envs, func(name string) bool {
			value, set := os.LookupEnv(name)
			return name == "-" || set && value == ""
		})
		flag.Envs = flag.Tag.Envs
	}
	for _, child := range node.Children {
		if child.Name == "serve" {
			nameVariables(child, "TIDINGS_")
		} else {
			nameVariables(child, prefix+variableName(child.Name)+"_")
		}
	}
}

func variableName(name string) string { return strings.ToUpper(strings.ReplaceAll(name, "-", "_")) }
