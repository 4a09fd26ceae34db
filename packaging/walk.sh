#!/bin/bash
# Walks through the operators' pages: runs every code block that is marked
# "walk: machine", as it is written, in the order of the pages, then those marked
# "last", gives those marked "nginx" to nginx -t, and runs "home" as an ordinary user. The machine is a clean
# Debian with systemd and nginx; the walk begins with the quick start.
#
#   packaging/walk.sh NEW.deb
#
# Beside it runs one ComfyUI: a simulated one, or $WALK_COMFYUI, a command that
# starts a real one on port 8188 in the machine's network with the output folder
# that it is given.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
deb=$(realpath "$1")
. "$here/machine.sh"
pages="operations login nginx extension inputs face monitoring"

# blocks WORD PAGE: the blocks of a page that are marked so, each to a file of its own.
blocks() {
  awk -v word="$1" -v out="$work/$2" '
    /^```/ && open { open = 0; if (file) close(file); file = ""; next }
    /^```/ { open = 1; if (marked) { file = sprintf("%s.%s.%04d", out, word, NR); printf "" > file }; next }
    open { if (file) print > file; next }
    { mark = $0; marked = sub(/^<!-- walk: /, "", mark) && !/walk: not/ && (" " mark " ") ~ (" " word " ") }
  ' "$here/../docs/$2.md"
}

# What the walk puts in front of each block: apt asks nothing, questions get an
# answer, "editor" puts in what a person would, and the machine has no certificates.
prelude='
apt() { command apt-get -y -q --no-install-recommends "$@"; }
qmtui() { echo a long password | command qmtui "$@"; }
curl() { command curl -sSf "${@/https:\/\/film.example/http://workshop.example}"; }
cd /root
'

# run FILE: one block, as root. Every command must succeed, also before "&&",
# where bash -e looks away.
run() {
  say "$(basename "$1")"
  cat "$1"
  echo "--"
  inside "$prelude$(sed "s/ && /\n/g" "$1")" || { inside 'journalctl -u qmtui --no-pager | tail -30' || true; fail "$(basename "$1")"; }
}

unpack ca-certificates,nginx,sudo,openssl,jq,curl
cp "$deb" "$root/root/qmtui_1_$(dpkg --print-architecture).deb"
cat >"$root/usr/local/bin/editor" <<'EOF'
#!/bin/sh
# What a person would type into these files.
case $1 in
*.toml) printf 'key_file = "/etc/qmtui/serverless.key"\n[log]\nformat = "json"\n' >>"$1" ;;
*.key) echo a-key-of-the-platform >"$1" ;;
esac
EOF
chmod 755 "$root/usr/local/bin/editor"
echo '127.0.0.1 localhost workshop.example user001.workshop.example' >>"$root/etc/hosts"
boot

say "one ComfyUI on this machine, and a user for a later page"
inside 'mkdir -p /srv/comfyui/output && chmod 755 /srv/comfyui/output && useradd --system --user-group comfy'
if [ -n "${WALK_COMFYUI:-}" ]; then
  nsenter -t "$leader" -n -- $WALK_COMFYUI "$root/srv/comfyui/output"
else
  # The simulator has its deployments below names, so nginx puts one at the root.
  dpkg-deb --fsys-tarfile "$deb" | tar -xO ./usr/bin/qmtui >"$root/usr/local/bin/sim" && chmod 755 "$root/usr/local/bin/sim"
  inside 'systemd-run --quiet --unit comfyui sim sim --listen 127.0.0.1:8189 --outputs /srv/comfyui/output --cold-start 0s --scale-down 0
echo "server { listen 127.0.0.1:8188; location / { proxy_pass http://127.0.0.1:8189/h200-spot/; } }" >/etc/nginx/conf.d/simulated-comfyui.conf
systemctl reload nginx'
fi
until_true 'curl -sf http://127.0.0.1:8188/system_stats'

for page in $pages; do for word in machine last nginx home; do blocks "$word" "$page"; done; done
for page in $pages; do
  for b in "$work/$page".machine.*; do [ ! -e "$b" ] || run "$b"; done
done
for b in "$work"/*.nginx.*; do
  say "nginx -t: $(basename "$b")"
  { echo 'events {} http { server { listen 8099; '; cat "$b"; echo '} }'; } >"$root/root/block.conf"
  inside 'nginx -t -q -c /root/block.conf'
done
inside 'chown -R comfy: /outputs' # what the last block is for
for page in $pages; do
  for b in "$work/$page".last.*; do [ ! -e "$b" ] || run "$b"; done
done
until_true 'qmtui health --ready'

say "a participant: logs in through nginx with the password, and sees the picture of the quick start"
inside "$prelude"'
qmtui users passwd user001 --generate >password
curl -o /dev/null -c cookies -H "Origin: http://workshop.example" --data-urlencode user=user001 --data-urlencode "password=$(cat password)" http://workshop.example/auth/login
curl -b cookies "http://workshop.example/api/jobs" | jq -er ".[0] | select(.user_id == \"user001\" and .state == \"done\") | .outputs[0].filename"
code() { command curl -s -o /dev/null -w "%{http_code}\n" "$@"; }
echo "may pause the queue: $(code -b cookies -H "Origin: http://workshop.example" -X POST http://workshop.example/api/queue/pause)"
echo "without a login: $(code http://workshop.example/api/jobs)"
code -b cookies -H "Origin: http://workshop.example" -X POST http://workshop.example/api/queue/pause | grep -qx 403
code http://workshop.example/api/jobs | grep -qxE "401|403"' || fail "the participant"

say "doctor: a header that nginx hands on, and its default site"
inside "$prelude"'
doctor() { qmtui doctor --all >doctor.txt 2>&1 || true; grep -A1 -E "^fail +$1 .*$2" doctor.txt; }
good() { qmtui doctor --all >doctor.txt 2>&1 || true; grep -E "^ok +$1 " doctor.txt; }
soon() { for _ in $(seq 20); do if "$@"; then return; fi; sleep 0.5; done; cat doctor.txt; return 1; } # nginx takes a moment to reload
# As an nginx that was never told of the header, beside a proxy secret that it sends.
sed -i "s/^\[server\]/&\nuser_header = \"X-Remote-User\"\nproxy_secret_file = \"\/etc\/qmtui\/proxy_secret\"/" /etc/qmtui/qmtui.toml
chown comfy /etc/qmtui/proxy_secret; systemctl restart qmtui
sed -i "/X-Remote-User/d; s/X-Qmtui-Proxy-Secret \"\"/X-Qmtui-Proxy-Secret \"$(cat /etc/qmtui/proxy_secret)\"/" /etc/nginx/conf.d/qmtui-manager.inc
systemctl reload nginx
soon doctor proxy-header believed
sed -i "\$ a proxy_set_header X-Remote-User \"\";" /etc/nginx/conf.d/qmtui-manager.inc
systemctl reload nginx
soon good proxy-header
mv /etc/nginx/conf.d/qmtui.conf /root; ln -s ../sites-available/default /etc/nginx/sites-enabled/default; systemctl reload nginx
soon doctor web "default site"' || fail "doctor"
say "at home: a user without the service ($(basename "$work"/*.home.*))"
cat "$work"/*.home.*
inside 'systemctl stop qmtui; useradd --create-home ada'
cp "$work"/*.home.* "$root/home/ada/block"
inside 'runuser -u ada -- env HOME=/home/ada timeout 120 bash -ec "cd; . ./block; kill %1; wait %1; ls -l ~/pictures/me"' || fail "at home"
say "good"
