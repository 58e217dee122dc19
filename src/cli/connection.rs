//! Where the server is, and how to show what it says: the flags of every client command.

use std::path::PathBuf;

use clap::Args;

use super::output::Output;
use crate::client::{Access, Client, ClientError, DEFAULT_SERVER};

/// Where the server is, and what has to be shown on the way to it.
#[derive(Args)]
pub struct ServerUrl {
    /// URL of the registry.
    #[arg(
        long,
        visible_alias = "url",
        env = "PERFREG_URL",
        hide_env_values = true,
        default_value = DEFAULT_SERVER,
        value_name = "URL",
        help_heading = "Server"
    )]
    pub server: String,
    /// PEM file with a certificate and its key, for a proxy that asks for one.
    #[arg(
        long,
        env = "PERFREG_CLIENT_CERTIFICATE",
        hide_env_values = true,
        value_name = "FILE",
        help_heading = "Server",
        hide_short_help = true
    )]
    client_certificate: Option<PathBuf>,
    /// Header for a proxy that asks for one; may be repeated. The variable has one header a line.
    #[arg(
        long = "header",
        env = "PERFREG_HEADERS",
        hide_env_values = true,
        value_name = "NAME: VALUE",
        value_delimiter = '\n',
        help_heading = "Server",
        hide_short_help = true
    )]
    headers: Vec<String>,
}

impl ServerUrl {
    pub fn client(&self) -> Result<Client, ClientError> {
        Client::new(&Access {
            server: self.server.clone(),
            client_certificate: self.client_certificate.clone(),
            headers: self.headers.clone(),
        })
    }
}

/// Where the server is, and how to show what it says.
#[derive(Args)]
pub struct Connection {
    /// Print the answer as JSON, for scripts, and what went wrong as a problem document.
    #[arg(long, help_heading = "Output")]
    pub json: bool,
    #[command(flatten)]
    url: ServerUrl,
}

impl Connection {
    pub fn open(&self) -> Result<(Client, Output), ClientError> {
        Ok((self.url.client()?, Output { json: self.json }))
    }
}
