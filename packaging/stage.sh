#!/bin/sh
# Lays out what a package holds: stage.sh DIR, with the binary built at
# bin/qmtui-linux-$GOARCH. Man pages and completions come from the same source,
# built for this machine.
set -eu
dir=$1
rm -rf "$dir"
mkdir -p "$dir/man" "$dir/completions" "$dir/docs" "$dir/assets"
install -m 0755 "bin/qmtui-linux-$GOARCH" "$dir/qmtui"
install -m 0644 packaging/qmtui.toml packaging/qmtui.env assets/systemd/qmtui.service "$dir/"

if [ "$GOARCH" = "$(go env GOHOSTARCH)" ] && [ "$(go env GOHOSTOS)" = linux ]; then
  native=$dir/qmtui
else
  native=bin/qmtui-native
  GOARCH='' GOOS='' go build -trimpath -ldflags "-X main.release=$VERSION" -o "$native" ./cmd/qmtui
fi
"$native" man "$dir/man"
gzip -9n "$dir"/man/*
"$native" completion bash >"$dir/completions/qmtui.bash"
"$native" completion zsh >"$dir/completions/_qmtui"
"$native" completion fish >"$dir/completions/qmtui.fish"

cp README.md CHANGELOG.md docs/*.md "$dir/docs/"
cp LICENSE "$dir/docs/copyright"
for asset in nginx grafana prometheus loki prompts compose; do
  cp -r "assets/$asset" "$dir/assets/"
done
mkdir "$dir/assets/queue_redirect" # the page extension, without its tests
cp -r assets/queue_redirect/__init__.py assets/queue_redirect/web "$dir/assets/queue_redirect/"
rm -f "$dir/assets/prometheus/"*.test.yml
find "$dir" -type d -exec chmod 0755 {} +
find "$dir" -type f ! -name qmtui -exec chmod 0644 {} +
