//! The names by which a server is called, so that a page which calls it by another one reads nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use url::Host;

use super::server::PublicUrl;

/// A longer name is none that DNS could know.
const LONGEST_NAME_BYTES: usize = 255;

/// The name of a host, as browsers send it: in lower case, and in ASCII.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostName(String);

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("give a name alone, without http://, port and path, such as perfreg.example.com; each name whole, without *")]
pub struct HostNameError;

impl FromStr for HostName {
    type Err = HostNameError;

    fn from_str(text: &str) -> Result<Self, HostNameError> {
        let text = text.trim();
        if let Ok(address) = text.parse::<IpAddr>() {
            return Ok(Self(address.to_string()));
        }
        let name = text.strip_suffix('.').unwrap_or(text);
        let is_name = !name.is_empty() && !name.contains(['*', ',']) && name.len() <= LONGEST_NAME_BYTES;
        is_name.then(|| usual_name(name)).flatten().map(Self).ok_or(HostNameError)
    }
}

/// Which hosts a request may be for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AllowedHosts {
    Any,
    /// These, and what no stranger can have: addresses, and the names of the machine for itself.
    Known(Vec<HostName>),
}

impl AllowedHosts {
    /// Those of a server that listens at `address`, for which `listen` was given. Who lets others reach it and does not
    /// say by which names has it answer to all of them.
    #[must_use]
    pub fn new(address: IpAddr, listen: &str, public_url: Option<&PublicUrl>, names: Vec<HostName>) -> Self {
        let mut names = names;
        names.extend(public_url.and_then(|url| url.host().parse().ok()));
        if names.is_empty() && !is_loopback(address) {
            return Self::Any;
        }
        names.extend(listen.rsplit_once(':').and_then(|(name, _)| name.parse().ok()));
        Self::Known(names)
    }

    /// Whether a request for this host, which is given without its port, is answered.
    #[must_use]
    pub fn allow(&self, host: &str) -> bool {
        let Self::Known(names) = self else { return true };
        let is_known = |host: &str| {
            let is = |name: &HostName| name.0.eq_ignore_ascii_case(host);
            is_address(host) || is_machines_own(host) || names.iter().any(is)
        };
        let host = host.strip_suffix('.').unwrap_or(host);
        // Few spell an address or a name in another way than browsers do.
        is_known(host) || usual_name(host).is_some_and(|host| is_known(&host))
    }
}

/// Whether only this machine reaches the address.
#[must_use]
pub fn is_loopback(address: IpAddr) -> bool {
    address.to_canonical().is_loopback()
}

fn is_address(host: &str) -> bool {
    let in_brackets = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    in_brackets.map_or_else(|| host.parse::<Ipv4Addr>().is_ok(), |host| host.parse::<Ipv6Addr>().is_ok())
}

/// Nobody can register a name below localhost.
fn is_machines_own(host: &str) -> bool {
    const NAME: &[u8] = b"localhost";
    let host = host.as_bytes();
    let Some(above) = host.len().checked_sub(NAME.len()) else { return false };
    host[above..].eq_ignore_ascii_case(NAME) && (above == 0 || host[above - 1] == b'.')
}

/// The host as a browser would send it.
fn usual_name(host: &str) -> Option<String> {
    if host.len() > LONGEST_NAME_BYTES {
        return None;
    }
    Host::parse(host).ok().map(|host| host.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts(address: &str, listen: &str, public_url: Option<&str>, names: &[&str]) -> AllowedHosts {
        let public_url = public_url.map(|url| url.parse().expect("a URL"));
        let names = names.iter().map(|name| name.parse().expect("a name")).collect();
        AllowedHosts::new(address.parse().expect("an address"), listen, public_url.as_ref(), names)
    }

    #[test]
    fn addresses_and_the_names_of_the_machine_for_itself_are_answered_and_others_only_if_they_are_known() {
        let hosts = hosts(
            "127.0.0.1",
            "127.0.0.1:8000",
            Some("https://CI.Example.com:8443/perfreg"),
            &["host.docker.internal", "Bücher.example", "perf_reg"],
        );
        for (host, is_answered) in [
            ("127.0.0.1", true),
            ("10.0.0.7", true),
            ("8.8.8.8", true),
            ("[::1]", true),
            ("[fe80::1]", true),
            ("[::ffff:10.0.0.7]", true),
            // As curl sends what people write.
            ("127.1", true),
            ("0x7f000001", true),
            ("2130706433", true),
            ("127.0.0.1.", true),
            ("localhost", true),
            ("LocalHost", true),
            ("localhost.", true),
            ("perfreg.localhost", true),
            ("a.b.LOCALHOST.", true),
            ("ci.example.com", true),
            ("CI.EXAMPLE.COM", true),
            ("ci.example.com.", true),
            ("host.docker.internal", true),
            ("perf_reg", true),
            ("xn--bcher-kva.example", true),
            ("bücher.example", true),
            ("BÜCHER.example.", true),
            ("rebind.example", false),
            ("example.com", false),
            ("www.ci.example.com", false),
            ("ci.example.com.rebind.example", false),
            ("ci.example.com..", false),
            ("notlocalhost", false),
            ("localhost.rebind.example", false),
            ("127.0.0.1.rebind.example", false),
            ("127.0.0.1.nip.io", false),
            ("::1", false),
            ("[::1", false),
            ("[::1%25lo]", false),
            ("[localhost]", false),
            ("999.0.0.1", false),
            ("", false),
            (".", false),
            (".localhost", true),
        ] {
            assert_eq!(hosts.allow(host), is_answered, "{host}");
        }
        assert!(!hosts.allow(&"a".repeat(100_000)));
    }

    #[test]
    fn a_server_that_others_reach_and_nobody_has_named_answers_to_every_name() {
        for (address, listen, public_url, names, is_any) in [
            ("0.0.0.0", "0.0.0.0:8000", None, &[][..], true),
            ("::", "[::]:8000", None, &[], true),
            ("10.0.0.7", "perfreg.lan:8000", None, &[], true),
            ("::ffff:10.0.0.7", "[::ffff:10.0.0.7]:8000", None, &[], true),
            ("0.0.0.0", "0.0.0.0:8000", Some("https://ci.example.com"), &[], false),
            ("0.0.0.0", "0.0.0.0:8000", Some("http://10.0.0.7:8000"), &[], false),
            ("0.0.0.0", "0.0.0.0:8000", None, &["perfreg"], false),
            ("0.0.0.0", "0.0.0.0:8000", None, &["10.0.0.7"], false),
            ("127.0.0.1", "127.0.0.1:8000", None, &[], false),
            ("127.8.8.8", "127.8.8.8:8000", None, &[], false),
            ("::1", "[::1]:8000", None, &[], false),
            ("::ffff:127.0.0.1", "[::ffff:127.0.0.1]:8000", None, &[], false),
        ] {
            let hosts = hosts(address, listen, public_url, names);
            assert_eq!(hosts.allow("rebind.example"), is_any, "{listen}, {public_url:?}, {names:?}");
        }
    }

    #[test]
    fn a_name_that_it_listens_on_is_its_own() {
        let named = hosts("127.0.1.1", "perf-box:8000", None, &[]);
        assert!(named.allow("Perf-Box") && !named.allow("rebind.example"));
        let named = hosts("10.0.0.7", "perfreg.lan:8000", Some("https://ci.example.com"), &[]);
        assert!(named.allow("perfreg.lan") && named.allow("ci.example.com") && !named.allow("rebind.example"));
    }

    #[test]
    fn a_name_is_kept_as_browsers_send_it_and_what_is_none_is_refused() {
        for (text, kept) in [
            (" Perfreg.Example.COM.\n", Some("perfreg.example.com")),
            ("bücher.example", Some("xn--bcher-kva.example")),
            ("perf_reg", Some("perf_reg")),
            ("10.0.0.7", Some("10.0.0.7")),
            ("::1", Some("::1")),
            ("", None),
            (".", None),
            ("*", None),
            ("*.example.com", None),
            ("http://a", None),
            ("a:8000", None),
            ("a/b", None),
            ("me@a", None),
            ("a b", None),
            ("a,b", None),
        ] {
            let name = text.parse::<HostName>().ok();
            assert_eq!(name.as_ref().map(|name| name.0.as_str()), kept, "{text}");
        }
    }
}
