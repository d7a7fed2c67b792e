trap '' HUP INT QUIT TERM
id=$1 dir=$2 inode=$3
[ -w /proc/$$/comm ] && printf tuiturn-guard >/proc/$$/comm
read -r line && exit

# end PATTERN PATTERN SIGNAL ROUNDS sends the signal once to each process that carries
# one of the two patterns, and SIGKILL after that many rounds. A process can't be seen
# during its exec, and may fork after the look, so two empty looks in a row are needed.
# It fails if a process survives.
end() {
	told=' ' round=0 empty=0
	while [ $empty -lt 2 ]; do
		found=$(look "$1" "$2")
		[ $? -lt 126 ] && [ $round -lt 100 ] || return 1
		round=$((round + 1)) empty=$((empty + 1))
		for pid in $found; do
			empty=0 pid=${pid%/environ} pid=${pid##*/}
			if [ $round -gt $4 ]; then
				kill -s KILL $pid
				continue
			fi
			case $told in *" $pid "*) continue ;; esac
			told="$told$pid "
			kill -s $3 $pid
			kill -s CONT $pid
		done
		sleep 0.05 || sleep 1
	done
}

# Eight looks take half a second, or one second where a look takes 0.1 s. A server is
# ended last, because it reaps the others. It needs 0.1 s for 30 sessions. A pane that
# was about to become a program ends with it.
end "@$id." "@$id." HUP 8
end "@$id." "TUITURN_SERVER=$id" TERM 3 || exit

# Another directory may have that name by now: an agent recreates its temporary
# directory if a cleaner has removed it. Everything else in such a directory is somebody
# else's. A lease that records shared servers is left to the next sweep, which can
# contact them, and so is a lease with a surviving process.
set -f
set -- $(ls -di "$dir")
if [ "$1" != "$inode" ]; then
	[ -O "$dir" ] && [ ! -L "$dir" ] && [ ! -e "$dir/lease" ] || exit
	set +f
	for turn in "$dir"/t-[0-9]*; do
		case ${turn##*/t-} in *[!0-9]*) continue ;; esac
		rm -rf "$turn"
		rmdir "$dir"
	done
	exit
fi
if [ -e "$dir/lease" ]; then
	grep -qF "$id" "$dir/lease" || exit
	grep -qF '"servers"' "$dir/lease" && exit
fi
rm -rf "$dir"
