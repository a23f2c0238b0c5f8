#!/usr/bin/env bash
# Puts the sources of Rust's standard library into DIR/library, from Debian's package rust-src.
#
# For Debian machines whose rustup can add no target; `cargo xtask wasm` calls this when it has no
# sources of the compiler's version. It installs nothing, needs no root, and keeps lists and
# packages of its own inside DIR, so that the machine's apt stays as it is. apt checks what it
# downloads against Debian's archive key.
#
# usage: debian-rust-src.sh VERSION DIR
set -euo pipefail

version=$1
mkdir -p "$2"
dir=$(realpath "$2")
key=/usr/share/keyrings/debian-archive-keyring.gpg

fail() {
  echo "debian-rust-src: $*" >&2
  exit 1
}

command -v apt-get >/dev/null || fail "this is no Debian machine: there is no apt-get"
[ -r "$key" ] || fail "Debian's archive key is missing: install debian-archive-keyring"

# The mirror that the machine itself uses, so that nothing here names one.
mirror=$(apt-get indextargets --format '$(REPO_URI)' | grep -v security | head -n 1 || true)
if [ -z "$mirror" ] && [ -r /etc/apt/sources.list.d/debian.sources ]; then
  mirror=$(sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources | head -n 1)
fi
[ -n "$mirror" ] || fail "apt has no Debian mirror configured"

apt=$dir/apt
mkdir -p "$apt"/lists/partial "$apt"/cache/archives/partial
for suite in trixie-backports bookworm-backports testing unstable; do
  echo "deb [signed-by=$key] ${mirror%/} $suite main"
done >"$apt"/sources.list

private() {
  local tool=$1
  shift
  "$tool" -qq -o Dir::Etc::SourceList="$apt"/sources.list -o Dir::Etc::SourceParts=/dev/null \
    -o Dir::State::Lists="$apt"/lists -o Dir::Cache="$apt"/cache \
    -o APT::Sandbox::User="$(id -un)" -o Acquire::Languages=none "$@"
}

# A mirror need not carry every suite; what counts is whether one of them has the version.
private apt-get update || true
package=$(private apt-cache madison rust-src | cut -d '|' -f 2 | tr -d ' ' | grep -F "$version+dfsg" | head -n 1 || true)
[ -n "$package" ] || fail "no suite has rust-src $version"

(cd "$apt" && private apt-get download "rust-src=$package")
dpkg-deb -x "$apt"/rust-src_*.deb "$apt"/unpacked
mv "$apt/unpacked/usr/src/rustc-$version/library" "$dir"/library
rm -rf "$apt"
