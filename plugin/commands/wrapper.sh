#!/bin/sh
# peavey: the command line of the managed plugin. It runs the plugin's own Python out of the plugin's own files, on the
# host, so that nothing else has to be installed; also while the plugin is disabled. docs/install.md says how to get it.
#
#   PEAVEY_PLUGIN    which plugin, by the beginning of its id or its name, where several are installed
#   PEAVEY_PLUGINS   the engine's folder of plugins, if its data is not in /var/lib/docker
#   PEAVEY_SOCKETS   the folder of plugins' sockets, if the engine's is not /run/docker/plugins
set -eu

plugins=${PEAVEY_PLUGINS:-/var/lib/docker/plugins}
sockets=${PEAVEY_SOCKETS:-/run/docker/plugins}

fail() {
    echo "peavey: $*" >&2
    exit 1
}

case ${1-} in
serve | deliver) fail "the engine runs the plugin: docker plugin enable --timeout 0 peavey" ;;
-h | --help | --version) ;;
-*) fail "give a command first (peavey --help lists them)" ;;
esac

[ -x "$plugins" ] && [ -r "$plugins" ] || fail "cannot look into $plugins: run it as root (PEAVEY_PLUGINS names another folder)"

chosen=
others=
for folder in "$plugins"/*; do
    [ -f "$folder/rootfs/opt/peavey/pyvenv.cfg" ] || continue
    id=${folder##*/}
    name=$(sed -n 's/.*"Name":"\([^"]*:[^"]*\)".*/\1/p' "$folder/config.json" 2>/dev/null || :)
    if [ -n "${PEAVEY_PLUGIN-}" ]; then
        case $id in "$PEAVEY_PLUGIN"*) ;; *)
            case $name in "$PEAVEY_PLUGIN" | "$PEAVEY_PLUGIN:latest") ;; *) continue ;; esac ;;
        esac
    fi
    [ -z "$chosen" ] || others=yes
    chosen="$chosen
  $id  $name"
done
[ -n "$chosen" ] || fail "no peavey is among the plugins in $plugins${PEAVEY_PLUGIN:+ that is called $PEAVEY_PLUGIN}"
[ -z "$others" ] || fail "several are installed; choose one by PEAVEY_PLUGIN=ID:$chosen"
id=$(echo $chosen)
id=${id%% *}
root=$plugins/$id/rootfs

home=$(sed -n 's/^home *= *//p' "$root/opt/peavey/pyvenv.cfg")
for packages in "$root"/opt/peavey/lib/python3*/site-packages; do :; done
version=${packages%/site-packages}
version=${version##*/}
for loader in "$root"/usr/lib/*/ld-linux*.so.* "$root"/lib/*/ld-linux*.so.*; do
    [ ! -f "$loader" ] || break
done
[ -f "$loader" ] && [ -f "$root$home/$version" ] || fail "the plugin's Python is not where it is expected, below $root"
libraries=${loader%/*}
certificates=$root/etc/ssl/certs/ca-certificates.crt

PYTHONHOME=$root${home%/bin}
PYTHONPATH=$packages
PYTHONDONTWRITEBYTECODE=1
PEAVEY_DATA=${PEAVEY_DATA:-$plugins/$id/propagated-mount/peavey}
PEAVEY_SOCKET=${PEAVEY_SOCKET:-$sockets/$id/peavey.sock}
[ -f "$certificates" ] && SSL_CERT_FILE=${SSL_CERT_FILE:-$certificates} && export SSL_CERT_FILE
export PYTHONHOME PYTHONPATH PYTHONDONTWRITEBYTECODE PEAVEY_DATA PEAVEY_SOCKET
exec "$loader" --library-path "$root${home%/bin}/lib:$libraries" "$root$home/$version" -s -P -m plugin "$@"
