#!/bin/bash
# Installs, runs, upgrades and removes the package in a clean Debian that boots
# systemd, by the commands of docs/operations.md:
#
#   packaging/try.sh OLD.deb NEW.deb [TARBALL]
set -euo pipefail
old=$(realpath "$1") new=$(realpath "$2") tarball=${3:+$(realpath "$3")}
. "$(dirname "$0")/machine.sh"

unpack
cp "$old" "$root/root/old.deb"
cp "$new" "$root/root/new.deb"
boot

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
