//! What `perfreg serve` says once it serves.

use std::io::{self, Write};
use std::net::SocketAddr;

use crate::client::DEFAULT_SERVER;
use crate::config::database::DatabaseUrl;
use crate::config::hosts::{AllowedHosts, is_loopback};
use crate::config::server::PublicUrl;

/// For who has just started it: where to look, and what to try.
pub fn print(address: SocketAddr, public_url: Option<&PublicUrl>, database: &DatabaseUrl) {
    // Whoever started it may not listen; it serves all the same.
    let _ = writeln!(io::stdout(), "{}", text(address, public_url, database));
}

fn text(address: SocketAddr, public_url: Option<&PublicUrl>, database: &DatabaseUrl) -> String {
    // What listens everywhere is reached here by the loopback address.
    let host =
        if address.ip().is_unspecified() { format!("localhost:{}", address.port()) } else { address.to_string() };
    let url = public_url.map_or_else(|| format!("http://{host}/"), ToString::to_string);
    let server = url.trim_end_matches('/');
    let is_default = [DEFAULT_SERVER, "http://127.0.0.1:8000"].contains(&server);
    let flag = if is_default { String::new() } else { format!(" --url {server}") };
    format!(
        r#"perfreg {version} keeps its runs in {database}

  Running tests  {url}
  API reference  {url}docs/

Run something under it, in another terminal:

  perfreg run{flag} --repo demo --stream main --location demo --factor 0.4 -- sleep 30

Or register a test from whatever speaks HTTP:

  curl -sS {url}register -H 'Content-Type: application/json' -d '{{
    "repo": "myrepo", "lac": "lac1", "stream": "main", "test": "load", "type": "performance",
    "environment": "prod", "triggered_by": "user1", "factor": 0.5, "location": "azure-k8s"
  }}'

Such a test holds its place until you end it: perfreg complete{flag} RUN_ID success
"#,
        version = env!("CARGO_PKG_VERSION"),
    )
}

/// What to warn of where others than this machine reach it.
pub fn exposure(address: SocketAddr, hosts: &AllowedHosts) -> Vec<String> {
    let password = (!is_loopback(address.ip())).then(|| {
        format!(
            "it listens on {address}, beyond this machine, and asks nobody for a password: all who reach it may register \
             and cancel tests; let only your pipelines reach it"
        )
    });
    let names = (*hosts == AllowedHosts::Any).then(|| {
        "it answers to every name, also to one with which a web page leads its reader's browser here; say by which names \
         it is called with --public-url or --allowed-host"
            .to_owned()
    });
    password.into_iter().chain(names).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::help;

    fn announced(address: &str, public_url: Option<&str>) -> String {
        let public_url = public_url.map(|url| url.parse().expect("a URL"));
        let database = DatabaseUrl::Sqlite("/var/lib/perfreg.db".into());
        text(address.parse().expect("an address"), public_url.as_ref(), &database)
    }

    #[test]
    fn the_first_command_to_try_finds_the_server() {
        for (address, public_url, command) in [
            ("127.0.0.1:8000", None, "perfreg run --repo demo"),
            ("0.0.0.0:8000", None, "perfreg run --repo demo"),
            ("127.0.0.1:8001", None, "perfreg run --url http://127.0.0.1:8001 --repo demo"),
            ("[::]:80", None, "perfreg run --url http://localhost:80 --repo demo"),
            ("127.0.0.1:8000", Some("https://ci/perfreg"), "perfreg run --url https://ci/perfreg --repo demo"),
        ] {
            let text = announced(address, public_url);
            let (run, curl) = (text.find(command), text.find("curl"));
            assert!(run.is_some() && run < curl, "{text}");
            for line in text.lines().filter(|line| line.starts_with("  perfreg ")) {
                help::tests::assert_parses(line);
            }
        }
        assert!(announced("127.0.0.1:8000", None).contains("in sqlite:/var/lib/perfreg.db\n"));
    }

    #[test]
    fn only_what_others_reach_is_warned_of() {
        for (address, public_url, expected) in [
            ("127.0.0.1:8000", None, 0),
            ("[::1]:8000", None, 0),
            ("[::ffff:127.0.0.1]:8000", None, 0),
            ("0.0.0.0:8000", None, 2),
            ("10.0.0.7:8000", None, 2),
            ("[::]:80", None, 2),
            ("0.0.0.0:8000", Some("https://ci.example.com"), 1),
        ] {
            let public_url: Option<PublicUrl> = public_url.map(|url: &str| url.parse().expect("a URL"));
            let at: SocketAddr = address.parse().expect("an address");
            let hosts = AllowedHosts::new(at.ip(), address, public_url.as_ref(), Vec::new());
            assert_eq!(exposure(at, &hosts).len(), expected, "{address}");
        }
    }
}
