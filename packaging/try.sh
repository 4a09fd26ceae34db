#!/bin/bash
# Installs, runs, upgrades and removes the package in a clean Debian that boots
# systemd, by the commands of docs/operations.md:
#
#   packaging/try.sh OLD.deb NEW.deb [TARBALL]
#
# Needs root, mmdebstrap and systemd-nspawn. $TRY_BASE may name a tar of a
# clean Debian with systemd, to save the minute that making one takes. With
# $TRY_KEEP the machine stays up, for looking around.
set -euo pipefail
old=$(realpath "$1") new=$(realpath "$2") tarball=${3:+$(realpath "$3")}
work=$(mktemp -d /tmp/qmtui-try.XXXXXX)
root=$work/root
mkdir "$root"

say() { printf '\n-- %s (%ss)\n' "$*" "$SECONDS"; }
fail() { echo "FAILED: $*"; exit 1; }
# inside runs a shell command in the machine.
inside() { nsenter -t "$leader" -a -- env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root /bin/bash -ec "$1"; }
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

say "a clean Debian"
if [ -n "${TRY_BASE:-}" ]; then
  tar -C "$root" -xf "$TRY_BASE"
else
  mmdebstrap --quiet --variant=minbase --include=systemd,systemd-sysv,dbus,procps bookworm "$root"
fi
cp "$old" "$root/root/old.deb"
cp "$new" "$root/root/new.deb"
systemd-nspawn --quiet --register=no --keep-unit --private-network --console=pipe -D "$root" -b >"$work/console" 2>&1 </dev/null &
nspawn=$!
for _ in $(seq 60); do
  leader=$(pgrep -P "$nspawn" | head -1) && [ -n "$leader" ] && nsenter -t "$leader" -a -- systemctl is-system-running 2>/dev/null | grep -qE 'running|degraded' && break
  sleep 0.5
done
inside 'systemctl --version | head -1'

say "install"
inside 'apt-get install -y --no-install-recommends /root/old.deb 2>&1 | tail -4 || dpkg -i /root/old.deb'
inside 'id qmtui; stat -c "%A %U %n" /var/lib/qmtui /etc/qmtui/*; qmtui version'
inside 'systemd-analyze verify --man=no qmtui.service; test "$(systemctl is-active qmtui)" = inactive'
inside 'test -e /usr/share/man/man1/qmtui.1.gz || dpkg -L qmtui | grep -q man1/qmtui.1.gz'

say "configure and start, with a share that is mounted and a simulated fleet"
inside 'mkdir -p /mnt/sfs /outputs && mount -t tmpfs share /mnt/sfs && mkdir /mnt/sfs/outputs && chown nobody /mnt/sfs/outputs && chown qmtui /outputs
systemd-run --quiet --unit sim -p User=nobody qmtui sim --listen 127.0.0.1:8188 --outputs /mnt/sfs/outputs --cold-start 0s
cat >> /etc/qmtui/qmtui.toml <<EOF
[[deployment]]
name = "h200-spot"
url = "http://127.0.0.1:8188/h200-spot"
EOF
echo "# a line of mine" >> /etc/qmtui/qmtui.env'
until_true 'journalctl -u sim --no-pager | grep -q 8188'
inside 'journalctl -u sim --no-pager | tail -5'
inside 'sudo() { shift 2; runuser -u qmtui -- "$@"; }; sudo -u qmtui qmtui config check'
inside 'systemctl enable --now qmtui && systemctl show qmtui -p ActiveState -p SubState -p StatusText -p NRestarts'
inside 'stat -c "%A %U %n" /run/qmtui /run/qmtui/qmtui.sock; qmtui health'
until_true 'qmtui health --ready'
inside 'qmtui queue status'

say "a job"
inside 'qmtui submit /usr/share/qmtui/prompts/text-to-image.json --user user001 --wait --timeout 60s && ls -l /outputs/user001'
inside 'cat /proc/$(systemctl show qmtui -p MainPID --value)/status | grep -E "^(Uid|NoNewPrivs|Seccomp|CapEff)"'

say "reload, and a bad configuration that changes nothing"
inside 'sed -i "s/^\[server\]/[log]\nlevel = \"debug\"\n[server]/" /etc/qmtui/qmtui.toml && systemctl reload qmtui'
until_true 'journalctl -u qmtui --no-pager | grep -q "now=DEBUG"'

say "backup while it runs"
inside 'mkdir -p /backup && qmtui db backup /backup/qmtui.db && qmtui db check /backup/qmtui.db'

say "upgrade"
inside 'before=$(systemctl show qmtui -p MainPID --value); DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /root/new.deb 2>&1 | tail -4; after=$(systemctl show qmtui -p MainPID --value); test "$before" != "$after"; tail -1 /etc/qmtui/qmtui.env; qmtui version; qmtui health; qmtui jobs list'
inside 'qmtui jobs list | grep -q user001'

say "a watchdog that hears nothing: the process is stopped in its tracks"
inside 'mkdir -p /run/systemd/system/qmtui.service.d && printf "[Service]\nWatchdogSec=3\n" > /run/systemd/system/qmtui.service.d/watchdog.conf && systemctl daemon-reload && systemctl restart qmtui && kill -STOP $(systemctl show qmtui -p MainPID --value)'
until_true 'test $(systemctl show qmtui -p NRestarts --value) -ge 1 && qmtui health'
inside 'journalctl -u qmtui --no-pager | grep -i watchdog | tail -3; rm -r /run/systemd/system/qmtui.service.d; systemctl daemon-reload; systemctl restart qmtui'

say "restore"
inside 'systemctl stop qmtui && test $(systemctl show qmtui -p Result --value) = success
mv /var/lib/qmtui/qmtui.db /var/lib/qmtui/qmtui.db.before
install -o qmtui -g qmtui -m 0600 /backup/qmtui.db /var/lib/qmtui/qmtui.db
qmtui db check && systemctl start qmtui && qmtui jobs list'

say "remove, and install again: the jobs are still there"
inside 'dpkg -r qmtui 2>&1 | tail -3; test ! -e /usr/bin/qmtui; ls -l /var/lib/qmtui; ls /etc/qmtui; ! systemctl is-active --quiet qmtui'
inside 'DEBIAN_FRONTEND=noninteractive dpkg --force-confold -i /root/new.deb 2>&1 | tail -4; systemctl enable --now qmtui && qmtui jobs list | grep user001'

say "purge keeps the jobs, and says so"
inside 'dpkg -P qmtui 2>&1 | tail -3; test -e /var/lib/qmtui/qmtui.db; test ! -e /etc/qmtui/qmtui.toml'
if [ -n "$tarball" ]; then
  say "the tarball, by the commands of docs/operations.md"
  cp "$tarball" "$root/root/qmtui.tar.gz"
  inside 'rm -rf /var/lib/qmtui /etc/qmtui; userdel qmtui; cd /root; tar xzf qmtui.tar.gz; cd qmtui-*/
install -m 0755 qmtui /usr/bin/ && install -m 0644 qmtui.service /etc/systemd/system/
useradd --system --user-group --home-dir /var/lib/qmtui --shell /usr/sbin/nologin qmtui
install -d -m 0700 -o qmtui -g qmtui /var/lib/qmtui && install -d /etc/qmtui && install -m 0644 qmtui.toml /etc/qmtui/
chown -R qmtui /outputs
systemctl daemon-reload && systemctl enable --now qmtui'
  until_true 'qmtui health'
  inside 'qmtui queue status; systemctl show qmtui -p ActiveState'
fi
say "good"
