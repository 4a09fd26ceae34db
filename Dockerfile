# qmtui in a container: one static program, a user without rights, nothing else.
#
#   docker build --build-arg VERSION="$(git describe --tags --always)" -t qmtui .
#
# assets/compose/compose.yaml puts it into the place of the site's old manager.
FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=dev
RUN CGO_ENABLED=0 go build -trimpath -ldflags "-s -w -X main.release=$VERSION" -o /out/usr/bin/qmtui ./cmd/qmtui \
 && mkdir -p /out/etc/ssl/certs /out/tmp /out/var/lib/qmtui \
 && cp /etc/ssl/certs/ca-certificates.crt /out/etc/ssl/certs/ \
 && echo 'qmtui:x:1000:1000:qmtui:/var/lib/qmtui:/usr/bin/qmtui' > /out/etc/passwd \
 && echo 'qmtui:x:1000:' > /out/etc/group \
 && chmod 1777 /out/tmp && chmod 0700 /out/var/lib/qmtui && chown 1000:1000 /out/var/lib/qmtui

FROM scratch
COPY --from=build /out/ /
# The first site's manager had this id, and its folders belong to it.
USER 1000:1000
ENV HOME=/var/lib/qmtui \
    PATH=/usr/bin \
    QMTUI_STATE_DIR=/var/lib/qmtui \
    QMTUI_SERVER_LISTEN=0.0.0.0:3000 \
    QMTUI_LOG_FORMAT=json
VOLUME /var/lib/qmtui
EXPOSE 3000
STOPSIGNAL SIGTERM
# Fails when a restart would help, not when the share is away.
HEALTHCHECK --interval=10s --timeout=6s --start-period=60s --retries=3 CMD ["/usr/bin/qmtui", "health"]
ENTRYPOINT ["/usr/bin/qmtui"]
CMD ["daemon"]
