// Package zzglob stands in for drjosh.dev/zzglob, which not every module proxy has. Buildkite's agent finds the files of
// artifacts and caches with it; jobs that have none never come here.
package zzglob

import (
	"context"
	"errors"
	"io/fs"
)

var errStandIn = errors.New("this build of the agent finds no files by patterns")

// Pattern matches nothing.
type Pattern struct{}

// ParseOption is not looked at.
type ParseOption func()

// GlobOption is not looked at.
type GlobOption func()

// ExpandTilde does nothing.
func ExpandTilde(bool) ParseOption { return nil }

// WalkIntermediateDirs does nothing.
func WalkIntermediateDirs(bool) GlobOption { return nil }

// TraverseSymlinks does nothing.
func TraverseSymlinks(bool) GlobOption { return nil }

// Parse refuses every pattern.
func Parse(string, ...ParseOption) (*Pattern, error) { return nil, errStandIn }

// Match is false.
func (*Pattern) Match(string) bool { return false }

// Glob finds nothing.
func (*Pattern) Glob(fs.WalkDirFunc, ...GlobOption) error { return errStandIn }

// MultiGlob finds nothing.
func MultiGlob(context.Context, []*Pattern, fs.WalkDirFunc, ...GlobOption) error { return errStandIn }
