package proc

import (
	"encoding/binary"
	"errors"
	"testing"

	"github.com/matryer/is"
)

const boot = 1_700_000_000_000_000 // microseconds

// kinfoProc is a struct kinfo_proc as FreeBSD 14 has it on amd64.
func kinfoProc(pid, ppid, sid int32, sec, usec int64, stat byte, comm string) []byte {
	b := make([]byte, 1088)
	for i := range b {
		b[i] = 0xee // whatever is between the fields
	}
	le := binary.LittleEndian
	le.PutUint32(b[0:], 1088)
	le.PutUint32(b[4:], 0)
	le.PutUint32(b[72:], uint32(pid))
	le.PutUint32(b[76:], uint32(ppid))
	le.PutUint32(b[88:], uint32(sid))
	le.PutUint32(b[172:], uint32(1000+pid%10)) // the real user
	le.PutUint64(b[336:], uint64(sec))
	le.PutUint64(b[344:], uint64(usec))
	b[388] = stat
	copy(b[447:467], make([]byte, 20))
	copy(b[447:466], comm)
	return b
}

func TestParseKinfo(t *testing.T) {
	is := is.New(t)
	b := kinfoProc(812, 1, 812, 1_700_000_100, 250_001, 3, "sh")
	b = append(b, kinfoProc(99_999, 812, 812, 1_700_000_100, 250_002, 5, "nineteen characters")...)
	b = append(b, kinfoProc(11, 0, 0, 1_699_999_999, 0, 2, "")...) // before the boot, if the clock says so
	all, err := parseKinfo(b, boot)
	is.NoErr(err)
	is.Equal(all, []Process{
		{Identity: Identity{812, 100_250_001}, Parent: 1, Name: "sh", session: 812, user: 1002},
		{Identity: Identity{99_999, 100_250_002}, Parent: 812, Name: "nineteen characters", Zombie: true, session: 812, user: 1009},
		{Identity: Identity{11, 0}, user: 1001},
	})

	// The clock was set forward by an hour: the same process.
	moved, err := parseKinfo(kinfoProc(812, 1, 812, 1_700_003_700, 250_001, 3, "sh"), boot+3600e6)
	is.NoErr(err)
	is.Equal(moved[0], all[0])

	none, err := parseKinfo(nil, boot)
	is.NoErr(err)
	is.Equal(len(none), 0)
}

func TestParseKinfoTrustsNoOtherLayout(t *testing.T) {
	good := kinfoProc(812, 1, 812, 1_700_000_100, 0, 3, "sh")
	larger := append(kinfoProc(812, 1, 812, 1_700_000_100, 0, 3, "sh"), make([]byte, 8)...)
	binary.LittleEndian.PutUint32(larger, 1096)
	other := kinfoProc(812, 1, 812, 1_700_000_100, 0, 3, "sh")
	binary.LittleEndian.PutUint32(other[4:], 1)
	for name, b := range map[string][]byte{
		"another size":   larger,
		"another layout": other,
		"32 bits":        larger[:768],
		"cut short":      append(good[:1088:1088], good[:100]...),
		"a byte":         {0},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			all, err := parseKinfo(b, boot)
			is.True(errors.Is(err, errors.ErrUnsupported))
			is.Equal(len(all), 0)
		})
	}
}

func TestParseProcargs(t *testing.T) {
	for name, c := range map[string]struct{ raw, want string }{
		"plain":               {"\x02\x00\x00\x00/bin/x\x00\x00\x00x\x00-v\x00A=1\x00B=2\x00", "A=1\x00B=2\x00"},
		"strings follow":      {"\x01\x00\x00\x00/bin/x\x00\x00x\x00A=1\x00B=2\x00\x00\x00ptr_munge=\x00main_stack=\x00", "A=1\x00B=2\x00"},
		"an empty argument":   {"\x03\x00\x00\x00/bin/x\x00\x00x\x00\x00-v\x00A=1\x00", "A=1\x00"},
		"no padding":          {"\x01\x00\x00\x00/bin/abc\x00x\x00A=1\x00", "A=1\x00"},
		"an argument like it": {"\x02\x00\x00\x00/usr/bin/env\x00\x00\x00\x00env\x00A=0\x00A=1\x00", "A=1\x00"},
		"no environment":      {"\x01\x00\x00\x00/bin/x\x00x\x00\x00ptr_munge=\x00", ""},
		"hidden":              {"\x02\x00\x00\x00/bin/sleep\x00\x00sleep\x0060\x00", ""},
		"too many arguments":  {"\xff\xff\xff\x7f/bin/x\x00x\x00A=1\x00", ""},
		"a negative count":    {"\xff\xff\xff\xff/bin/x\x00x\x00", ""},
		"cut short":           {"\x02\x00\x00\x00/bin/x\x00x", ""},
		"no path":             {"\x02\x00\x00\x00", ""},
		"nothing":             {"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(parseProcargs([]byte(c.raw)), c.want)
		})
	}
}

func TestNewestFirst(t *testing.T) {
	is := is.New(t)
	var pids []int
	for p, err := range newestFirst([]Process{{Identity: Identity{7, 10}}, {Identity: Identity{9, 30}}, {Identity: Identity{8, 20}}}) {
		is.NoErr(err)
		if pids = append(pids, p.Pid); len(pids) == 2 {
			break
		}
	}
	is.Equal(pids, []int{9, 8})
}
