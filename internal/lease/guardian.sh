trap '' HUP INT QUIT TERM
id=$1 dir=$2 inode=$3
[ -w /proc/$$/comm ] && printf tuiturn-guard >/proc/$$/comm
read -r line && exit

# end PATTERN PATTERN SIGNAL ROUNDS: whoever carries one of the two patterns gets
# the signal once, and after so many rounds SIGKILL. A process can't be seen for
# the moment of its exec, and may have forked behind the look: only the second
# empty look in a row is believed. It fails if somebody survives.
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

# Eight looks take half a second, or one where a look takes 0.1 s. A server comes
# last: it reaps the others, and needs 0.1 s for 30 sessions. With it goes what has
# come of a pane that was about to become a program.
end "@$id." "@$id." HUP 8
end "@$id." "TUITURN_SERVER=$id" TERM 3 || exit

# A directory of that name may be another one by now: an agent makes its temporary
# directory anew where a cleaner took it, and whatever else is there is somebody
# else's. One that records shared servers is the next sweep's, as is whatever
# survived: it can speak to them.
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
