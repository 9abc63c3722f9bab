#!/bin/sh
# Puts Podwire's CNI files on a node, in the order that never shows a runtime half of them:
#   install-cni.sh binary SHIM BIN_DIR              the plugin, as BIN_DIR/podwire
#   install-cni.sh conflist SHIM CONFLIST CONF_DIR  waits until node-shim serves, then the network's config
#   install-cni.sh keep SHIM CONFLIST CONF_DIR      the same, then puts it back whenever it is gone or changed
# It can be killed at any moment: a file is there whole or not at all, and the next run goes on.
set -eu
umask 022

KEEP_SECONDS=${INSTALL_CNI_KEEP_SECONDS:-10}

die() {
    echo "install-cni: $*" >&2
    exit 1
}

# place SOURCE FOLDER NAME MODE
place() {
    [ -d "$2" ] || die "$2 is not a folder: mount the node's own one there"
    [ ! -d "$2/$3" ] || die "$2/$3 is a folder; remove it"
    # In the same folder, where rename is atomic; under one name, so that what a killed run left is
    # overwritten; without an ending that a runtime reads.
    temporary=$2/.$3.tmp
    rm -f "$temporary"
    cp "$1" "$temporary"
    chmod "$4" "$temporary"
    sync "$temporary"
    mv -f "$temporary" "$2/$3"
    echo "install-cni: $2/$3 is in place"
}

# The plugin's own STATUS goes the way an ADD will go: the binary, the socket, node-shim, its readiness.
await_node_shim() {
    said=
    until answer=$(printf '{"cniVersion":"1.1.0","name":"podwire","type":"podwire"}' |
        CNI_COMMAND=STATUS CNI_CONTAINERID='' CNI_NETNS='' CNI_IFNAME='' CNI_PATH=/opt/cni/bin "$1" 2>&1); do
        [ "$answer" = "$said" ] || echo "install-cni: waiting for node-shim: $answer"
        said=$answer
        sleep 1
    done
}

# conflist CONFLIST CONF_DIR
conflist() {
    name=$(basename "$1")
    place "$1" "$2" "$name" 0644
    # Some versions of containerd miss the rename and see the write. The same bytes, without truncation:
    # no reader finds less than the whole file.
    dd if="$1" of="$2/$name" conv=notrunc 2>/dev/null
}

case "${1-} $#" in
'binary 3')
    place "$2" "$3" podwire 0755
    ;;
'conflist 4')
    await_node_shim "$2"
    conflist "$3" "$4"
    ;;
'keep 4')
    # As the first process of a container it has no default for TERM.
    trap 'exit 0' TERM INT
    await_node_shim "$2"
    conflist "$3" "$4"
    while :; do
        sleep "$KEEP_SECONDS" &
        wait $!
        cmp -s "$3" "$4/$(basename "$3")" || conflist "$3" "$4"
    done
    ;;
*)
    die "usage: binary SHIM BIN_DIR | conflist SHIM CONFLIST CONF_DIR | keep SHIM CONFLIST CONF_DIR"
    ;;
esac
