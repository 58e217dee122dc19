# What the scripts have in common, to be sourced: saying things, and installing what is missing.
say() { printf '\n== %s\n' "$*" >&2; }
die() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; exit 1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

# The folder of what cargo builds: CARGO_TARGET_DIR and cargo's own settings may move it.
target_folder() {
  cargo metadata --format-version 1 --no-deps --offline | sed -E 's/.*"target_directory":"([^"]*)".*/\1/'
}

# need COMMAND PACKAGE: installs PACKAGE if COMMAND cannot be found.
apt_is_fresh=
need() {
  command -v "$1" >/dev/null && return
  command -v apt-get >/dev/null || die "$1 is missing; install it (on Debian it is in the package $2)"
  say "installing $2"
  [ -n "$apt_is_fresh" ] || as_root apt-get update -qq
  apt_is_fresh=yes
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$2" >/dev/null
}
