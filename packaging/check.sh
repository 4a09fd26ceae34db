#!/bin/sh
# Looks into the packages that "make dist" has made: what is where, with which
# mode, and whether systemd takes the unit. Run it after "make dist".
# packaging/try.sh installs and runs them.
set -eu
deb=$(ls -t dist/*.deb 2>/dev/null | head -1) tarball=$(ls -t dist/*.tar.gz | head -1)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

fail() { echo "FAILED: $*" >&2; exit 1; }

# has MODE PATH: the tree holds that file with that mode.
has() {
  test -e "$work/root$2" || fail "$deb has no $2"
  mode=$(stat -c %a "$work/root$2")
  test "$mode" = "$1" || fail "$2 has mode $mode, want $1"
}

if [ -n "$deb" ] && command -v dpkg-deb >/dev/null; then
  dpkg-deb -x "$deb" "$work/root"
  dpkg-deb -e "$deb" "$work/control"
  has 755 /usr/bin/qmtui
  has 644 /lib/systemd/system/qmtui.service
  has 644 /etc/qmtui/qmtui.toml
  has 600 /etc/qmtui/qmtui.env
  for file in /usr/share/man/man1/qmtui.1.gz /usr/share/man/man5/qmtui.toml.5.gz /usr/share/bash-completion/completions/qmtui \
    /usr/share/zsh/vendor-completions/_qmtui /usr/share/fish/vendor_completions.d/qmtui.fish /usr/share/doc/qmtui/operations.md \
    /usr/share/doc/qmtui/migrate.md /usr/share/doc/qmtui/copyright /usr/share/qmtui/nginx/qmtui.conf /usr/share/qmtui/compose/compose.yaml \
    /usr/share/qmtui/grafana/qmtui.json /usr/share/qmtui/prometheus/qmtui.rules.yml /usr/share/qmtui/queue_redirect/__init__.py \
    /usr/share/qmtui/prompts/text-to-image.json; do has 644 "$file"; done
  printf '/etc/qmtui/qmtui.env\n/etc/qmtui/qmtui.toml\n' | cmp - "$work/control/conffiles" || fail "these files, and no others, survive an upgrade"
  for script in postinst prerm postrm; do
    test -x "$work/control/$script" || fail "$deb has no $script"
    sh -n "$work/control/$script"
  done
  "$work/root/usr/bin/qmtui" version
  # The packaged configuration is good but for the folders, which are the site's.
  "$work/root/usr/bin/qmtui" config show --config "$work/root/etc/qmtui/qmtui.toml" >/dev/null
else
  echo "skipped: the .deb was not looked into: there is none, or no dpkg-deb"
fi

unit=$work/root/lib/systemd/system/qmtui.service
if [ ! -e "$unit" ] || ! command -v systemd-analyze >/dev/null; then
  echo "skipped: the unit was not verified: there is no .deb, or no systemd-analyze"
else
  # As it is, but for the program, which is not installed here.
  sed "s,^ExecStart=/usr/bin/,ExecStart=$work/root/usr/bin/," "$unit" >"$work/qmtui.service"
  said=$(systemd-analyze verify --man=no "$work/qmtui.service" 2>&1) || fail "systemd-analyze verify: $said"
  case $said in *qmtui*) fail "systemd-analyze verify: $said" ;; esac
  echo "systemd-analyze verify: nothing to say"
fi

tar tzf "$tarball" >"$work/list"
for file in qmtui qmtui.service qmtui.toml man/qmtui.1.gz completions/qmtui.bash docs/operations.md assets/nginx/qmtui.conf; do
  grep -q "^[^/]*/$file\$" "$work/list" || fail "$tarball has no $file"
done
echo "good: ${deb:-no .deb}, $tarball"
