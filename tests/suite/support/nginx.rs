//! Debian's nginx before a server, with its defaults.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::server::PATIENCE;

pub struct Nginx {
    pub url: String,
    child: Child,
    _folder: TempDir,
}

/// A port on which nobody listens, for a program that has to be told one.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("an address").port()
}

impl Nginx {
    /// Listens on the port and hands on to the server at `url`.
    pub fn before(url: &str, port: u16) -> Self {
        Self::start(port, &format!("location / {{ proxy_pass {url}; }}"), format!("http://127.0.0.1:{port}"))
    }

    /// As [`Self::before`], below the path `/perfreg/`, which the server does not know.
    pub fn below_a_path_before(url: &str, port: u16) -> Self {
        let location = format!("location /perfreg/ {{ proxy_pass {url}/; }}");
        Self::start(port, &location, format!("http://127.0.0.1:{port}/perfreg"))
    }

    fn start(port: u16, location: &str, url: String) -> Self {
        let folder = TempDir::new().expect("a temporary directory");
        let path = folder.path().display();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {path}/{kind};"))
            .join(" ");
        // As one process it keeps its user, who owns the folder.
        let config = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr; events {{}}
             http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port}; {location} }} }}"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, config).expect("a file");
        let mut child = program()
            .args(["-p", &path.to_string(), "-e", "stderr", "-c"])
            .arg(&file)
            .stdin(Stdio::null())
            .spawn()
            .expect("nginx is there; ./test installs it");
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(child.try_wait().expect("a child").is_none() && Instant::now() < give_up, "nginx does not start");
            thread::sleep(Duration::from_millis(20));
        }
        Self { url, child, _folder: folder }
    }
}

/// Debian keeps it where only root's PATH leads.
fn program() -> Command {
    let debian = Path::new("/usr/sbin/nginx");
    Command::new(if debian.exists() { debian } else { Path::new("nginx") })
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
