//! The client behind what stands between it and a registry: certificates, proxies and redirects, all of them real.

mod certificates;
mod denials;
mod proxies;
mod redirects;

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::support::database::{Engine, TestDatabase};
use crate::support::server::{PATIENCE, TestServer, perfreg};

/// What no CI system says here.
const JOB: [&str; 8] = ["--repo", "shop/web", "--stream", "main", "--environment", "prod", "--triggered-by", "ana"];

async fn serve() -> (TestServer, TestDatabase) {
    let database = TestDatabase::new(Engine::Sqlite).await;
    (TestServer::start(&database.url), database)
}

/// Runs a command of the client with variables, and gives its exit code, what it printed and what it said.
fn call(arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    finished(perfreg().args(arguments).envs(variables.iter().copied()))
}

fn finished(command: &mut Command) -> (i32, String, String) {
    let Output { status, stdout, stderr } = command.output().expect("it starts");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    (status.code().expect("an exit code"), text(stdout), text(stderr))
}

/// `perfreg run` around a command that prints "started", with `--if-unreachable run`.
fn run_in_any_case(url: &str, variables: &[(&str, &str)]) -> (i32, String, String) {
    let run = ["run", "--server", url, "--retry-for", "1m", "--if-unreachable", "run"];
    call(&[&run[..], &JOB, &["--", "echo", "started"]].concat(), variables)
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port()
}

/// A program that listens on a port, until it is dropped.
struct Listening(Child);

impl Listening {
    fn start(command: &mut Command, port: u16) -> Self {
        // Debian keeps servers where only root looks for them.
        let path = std::env::var("PATH").unwrap_or_default() + ":/usr/sbin";
        let command = command.env("PATH", path).stdout(Stdio::null()).stdin(Stdio::null());
        let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}; ./test installs it"));
        let give_up = Instant::now() + PATIENCE;
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert_eq!(child.try_wait().expect("it can be waited for"), None, "{command:?} has ended");
            assert!(Instant::now() < give_up, "{command:?} does not listen");
            thread::sleep(Duration::from_millis(20));
        }
        Self(child)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx in front of a registry.
struct Nginx {
    port: u16,
    folder: TempDir,
    _process: Listening,
}

impl Nginx {
    /// Listens with these options, such as `ssl`, and does what the directives of its one server say. In these,
    /// `FOLDER` is a folder of its own.
    fn start(options: &str, directives: &str) -> Self {
        let (port, folder) = (free_port(), TempDir::new().expect("a folder"));
        let path = folder.path().display().to_string();
        let temporary = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|name| format!("{name}_temp_path {path}/{name};"))
            .concat();
        let configuration = format!(
            "daemon off; master_process off; pid {path}/pid; error_log stderr error; events {{}}
             http {{ access_log off; {temporary} server {{ listen 127.0.0.1:{port} {options}; {directives} }} }}"
        );
        let file = folder.path().join("nginx.conf");
        fs::write(&file, configuration.replace("FOLDER", &path)).expect("a file");
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(folder.path()).arg("-c").arg(&file);
        Self { port, _process: Listening::start(&mut command, port), folder }
    }

    fn url(&self, scheme: &str) -> String {
        format!("{scheme}://localhost:{}", self.port)
    }

    /// A file of its folder that a directive may ask for.
    fn file(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A certificate authority, and what it has signed, as PEM files.
struct Authority {
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let authority = Self { folder: TempDir::new().expect("a folder") };
        authority.self_signed("ca", "CA of the tests");
        authority
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().expect("UTF-8").to_owned()
    }

    /// Makes `name.pem` and `name.key` of one that signs itself, as `openssl req -x509` does: it is a CA.
    fn self_signed(&self, name: &str, subject: &str) {
        let (subject, alternative) = (format!("/CN={subject}"), "subjectAltName=DNS:localhost");
        self.openssl(&["req", "-x509", "-days", "30", "-subj", &subject, "-addext", alternative], name, "pem");
    }

    /// Makes `name.pem`, `name.key` and `name-both.pem`, for as many days from now on.
    fn sign(&self, name: &str, host: &str, days: &str) {
        self.openssl(&["req", "-subj", &format!("/CN={name}")], name, "csr");
        let extensions = format!("basicConstraints=CA:FALSE\nsubjectAltName=DNS:{host}\n");
        fs::write(self.path("extensions"), extensions).expect("a file");
        let [ca, key, csr, pem] =
            ["ca.pem", "ca.key", &format!("{name}.csr"), &format!("{name}.pem")].map(|file| self.path(file));
        let from = ["x509", "-req", "-in", &csr, "-CA", &ca, "-CAkey", &key, "-CAcreateserial", "-days", days];
        run_openssl(&[&from[..], &["-extfile", &self.path("extensions"), "-out", &pem]].concat());
        let read = |extension: &str| fs::read_to_string(self.path(&format!("{name}.{extension}"))).expect("a file");
        fs::write(self.path(&format!("{name}-both.pem")), read("pem") + &read("key")).expect("a file");
    }

    fn openssl(&self, arguments: &[&str], name: &str, extension: &str) {
        let [key, out] = ["key", extension].map(|extension| self.path(&format!("{name}.{extension}")));
        let new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", &key];
        run_openssl(&[arguments, &new_key, &["-out", &out]].concat());
    }

    /// The directives by which nginx shows a certificate and passes on to the registry.
    fn directives(&self, name: &str, server: &TestServer) -> String {
        let [pem, key] = ["pem", "key"].map(|extension| self.path(&format!("{name}.{extension}")));
        format!("ssl_certificate {pem}; ssl_certificate_key {key}; location / {{ proxy_pass {}; }}", server.url)
    }
}

fn run_openssl(arguments: &[&str]) {
    let output = Command::new("openssl").args(arguments).output().expect("openssl is there; ./test installs it");
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn write(path: &Path, text: &str) -> String {
    fs::write(path, text).expect("a file");
    path.to_str().expect("UTF-8").to_owned()
}
