# A clean Debian that boots systemd, for try.sh and walk.sh. Needs root,
# mmdebstrap and systemd-nspawn. $TRY_BASE may name a tar of one with these
# packages, to save the minute that making it takes; one that is not there yet is
# made. With $TRY_KEEP the machine stays up, for looking around.
work=$(mktemp -d /tmp/qmtui-try.XXXXXX)
root=$work/root
mkdir "$root"

say() { printf '\n-- %s (%ss)\n' "$*" "$SECONDS"; }
fail() { echo "FAILED: $*"; exit 1; }
# inside runs a shell command in the machine.
inside() { nsenter -t "$leader" -a -- env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive /bin/bash -ec "$1"; }
# until_true tries a command inside again and again.
until_true() {
  for _ in $(seq 120); do
    if inside "$1" >/dev/null 2>&1; then return 0; fi
    sleep 0.5
  done
  inside "$1" || true
  inside 'systemctl status qmtui --no-pager; journalctl -u qmtui --no-pager | tail -30' || true
  fail "never true: $1"
}
cleanup() {
  [ -z "${TRY_KEEP:-}" ] || { echo "kept: nsenter -t ${leader:-?} -a ; kill ${nspawn:-?}"; return; }
  [ -z "${nspawn:-}" ] || { kill -TERM "$nspawn" 2>/dev/null; wait "$nspawn" 2>/dev/null; } || true
  rm -rf --one-file-system "$work"
}
trap cleanup EXIT

# unpack MORE,PACKAGES lays the machine out at $root.
unpack() {
  say "a clean Debian"
  local tar=${TRY_BASE:-$work/base.tar}
  [ -e "$tar" ] || mmdebstrap --quiet --variant=minbase --include="systemd,systemd-sysv,dbus,procps${1:+,$1}" bookworm "$tar"
  tar -C "$root" -xf "$tar"
}

# boot starts it, without a network.
boot() {
  systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe -D "$root" -b >"$work/console" 2>&1 </dev/null &
  nspawn=$!
  for _ in $(seq 60); do
    leader=$(pgrep -P "$nspawn" | head -1) && [ -n "$leader" ] && nsenter -t "$leader" -a -- systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && break
    sleep 0.5
  done
  inside 'systemctl --version | head -1'
}
