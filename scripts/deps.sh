#!/bin/bash
# What building and testing need, on Debian 12 and Ubuntu 24.04 or later: as root installs what is
# missing, else prints the one line to type. Silent when nothing is missing.
set -eu
cd "$(dirname "$0")"

# Without these nothing builds, or `make test` cannot judge.
needed=(meson ninja-build gcc clang llvm make pkg-config libbpf-dev libelf-dev zlib1g-dev
	libpcap-dev libcmocka-dev libcapstone-dev tcpdump python3)
# Tests and checks that skip and say so when one of these is not there.
useful=(git iproute2 iputils-ping ethtool bpftool libclang-rt-dev clang-format cppcheck
	gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user)

is_installed() {
	dpkg-query -W -f '${db:Status-Abbrev}' "$1" 2>/dev/null | grep -q '^ii'
}

if ! command -v dpkg-query >/dev/null; then
	echo "deps: not a Debian system; wanted: ${needed[*]} ${useful[*]}" >&2
	exit 0
fi
missing=()
for package in "${needed[@]}" "${useful[@]}"; do
	is_installed "$package" || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" != 0 ]; then
	for package in "${missing[@]}"; do
		case " ${needed[*]} " in *" $package "*) stop=1 ;; esac
	done
	echo "These packages are missing; type:" >&2
	echo "  sudo apt-get install --no-install-recommends ${missing[*]}" >&2
	exit ${stop:-0}
fi
export DEBIAN_FRONTEND=noninteractive
echo "deps: installing ${missing[*]}" >&2
apt-get update -q >/dev/null || true # an old list may still do
known=()
for package in "${missing[@]}"; do
	if apt-cache policy "$package" | grep -q 'Candidate: [0-9]'; then
		known+=("$package")
	else
		echo "deps: no package $package here; going on without it" >&2
	fi
done
[ ${#known[@]} -eq 0 ] || apt-get install -q -y --no-install-recommends "${known[@]}" >/dev/null
for package in "${needed[@]}"; do
	is_installed "$package" || { echo "deps: $package could not be installed" >&2; exit 1; }
done
