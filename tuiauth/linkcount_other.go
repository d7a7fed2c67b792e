//go:build !unix

package tuiauth

import "io/fs"

func linkCount(info fs.FileInfo) uint64 { return 1 }
