# The image, built by buildah, which needs no daemon, and run as its user. To be sourced by run.

[ -d "${dist:-}" ] || source "$here/archive.sh"
need buildah buildah
# In a folder of its own, so that nothing stays; by root, whom it belongs to.
builder=$(type -P buildah)
buildah() { as_root "$builder" --root "$work/images/root" --runroot "$work/images/run" --storage-driver vfs "$@"; }
trap 'as_root rm -rf "$work/images" "$work/site/.unstale-local"; finish' EXIT

bash "$root/release/image-context" "$version" "$dist" "$work/context"
for architecture in amd64 arm64; do
  buildah bud --quiet --isolation chroot --platform "linux/$architecture" -t "unstale:$architecture" "$work/context" >/dev/null
  buildah inspect --type image "unstale:$architecture" >"$work/image.json"
  python3 - "$work/image.json" "$architecture" <<'PYTHON'
import json, sys
image = json.load(open(sys.argv[1]))["OCIv1"]
config = image["config"]
assert image["architecture"] == sys.argv[2], image["architecture"]
assert config["User"] == "65532:65532", config
assert config["Entrypoint"] == ["/usr/bin/unstale"] and not config.get("Cmd"), config
assert config["WorkingDir"] == "/site", config
PYTHON
done

[ "$(uname -m)" = x86_64 ] && here_architecture=amd64 || here_architecture=arm64
container=$(buildah from "unstale:$here_architecture")
mounted=$(buildah mount "$container")
diff <(printf '%s\n' ./etc/ssl/certs/ca-certificates.crt ./usr/bin/unstale) <(as_root find "$mounted" -type f -printf './%P\n' | LC_ALL=C sort)
as_root grep -q 'BEGIN CERTIFICATE' "$mounted/etc/ssl/certs/ca-certificates.crt"
size=$(as_root du -sm --apparent-size "$mounted" | cut -f 1)
# A debug build is larger than what is shipped.
case $UNSTALE in */release/*) [ "$size" -lt 40 ] || fail "the image has $size MB" ;; esac

# It runs as nobody in particular. A binary that is not static is lent this machine's libraries, as what is released must not need.
lent=()
if ldd "$UNSTALE" >/dev/null 2>&1; then for folder in /lib /lib64; do [ ! -d "$folder" ] || lent+=(-v "$(realpath "$folder"):$folder:ro"); done; fi
mkdir "$work/site"
cp -R "$root/fixtures/hexo/v1" "$work/site/public"
chmod -R a+rX "$work" "$work/site"
chmod 777 "$work/site"
inside() { buildah run --isolation chroot "${lent[@]}" -v "$work/site:/site" "$container" -- /usr/bin/unstale "$@"; }
expect 0 "unstale $version" inside --version
expect 0 'Deployed 29 files' inside deploy public --local
expect 0 'Nothing to do' inside deploy public --local
[ "$(stat -c %u "$work/site/.unstale-local")" = 65532 ] || fail "it does not run as its user"

# It trusts the image's authorities: a server that another one vouches for is refused until that is among them.
need openssl openssl
make_key() { openssl req -newkey rsa:2048 -nodes -keyout "$work/$1.key" -subj "/CN=$1" "${@:2}" 2>/dev/null; }
make_key authority -x509 -out "$work/authority.pem" -addext basicConstraints=critical,CA:TRUE
make_key server -out "$work/server.csr"
openssl x509 -req -in "$work/server.csr" -CA "$work/authority.pem" -CAkey "$work/authority.key" -CAcreateserial -out "$work/server.pem" \
  -extfile <(echo 'subjectAltName=IP:127.0.0.1') 2>/dev/null
python3 -u - "$work" >"$work/tls.log" 2>&1 <<'PYTHON' &
import http.server, ssl, sys
class Teapot(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        body = b"<Error><Code>MethodNotAllowed</Code><Message>reached by TLS</Message></Error>"
        self.send_response(405)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_HEAD = do_PUT = do_POST = do_GET
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Teapot)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(f"{sys.argv[1]}/server.pem", f"{sys.argv[1]}/server.key")
server.socket = context.wrap_socket(server.socket, server_side=True)
print("port", server.server_port)
server.serve_forever()
PYTHON
servers+=($!)
tls=https://127.0.0.1:$(await_line "$work/tls.log" 'port [0-9]+' $! | cut -d ' ' -f 2)
ask() {
  buildah run --isolation chroot "${lent[@]}" -e AWS_ACCESS_KEY_ID=key -e AWS_SECRET_ACCESS_KEY=secret -e AWS_REGION=us-east-1 \
    "$container" -- /usr/bin/unstale state --bucket site --endpoint-url "$tls"
}
expect 1 UnknownIssuer ask
as_root tee -a "$mounted/etc/ssl/certs/ca-certificates.crt" <"$work/authority.pem" >/dev/null
expect 1 'reached by TLS' ask
buildah umount "$container" >/dev/null
