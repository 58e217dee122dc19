# Installs nginx and tinyproxy, to be sourced.
. scripts/install.sh
need openssl openssl
for server in nginx tinyproxy; do
  # Debian's packages would start servers of their own, which nobody asked for.
  if ! command -v "$server" >/dev/null && [ ! -x "/usr/sbin/$server" ]; then
    [ ! -d /etc/systemd/system ] || as_root ln -sf /dev/null "/etc/systemd/system/$server.service"
  fi
  # Debian keeps nginx where only root looks for programs.
  PATH=$PATH:/usr/sbin need "$server" "$server"
done
