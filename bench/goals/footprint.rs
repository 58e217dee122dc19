//! From the start on an empty SQLite file to the first answer; memory of a server that nobody asks
//! anything; the size of the program.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::connection::Connection;
use crate::database::{Database, Engine};
use crate::process;
use crate::server::Server;
use crate::sizes::Sizes;
use crate::statistics::{Spread, milliseconds};
use crate::table::{Report, Row};

/// Until whatever begins in the background has begun.
const IDLE: Duration = Duration::from_secs(2);

pub async fn measure(sizes: &Sizes) -> Result<Report> {
    let mut starts = Vec::new();
    let mut memory = Vec::new();
    for _ in 0..sizes.starts {
        let database = Database::new(Engine::Sqlite)?;
        let start = Instant::now();
        let server = Server::start(&database)?;
        Connection::open(&server.address).await?.get("/status").await?;
        starts.push(milliseconds(start.elapsed()));
        if memory.len() < sizes.rounds {
            tokio::time::sleep(IDLE).await;
            memory.push(process::memory(server.pid())?);
        }
    }
    let bytes = u32::try_from(std::fs::metadata(env!("CARGO_BIN_EXE_perfreg"))?.len())?;
    let size = f64::from(bytes) / f64::from(1 << 20);
    Ok(Report {
        rows: vec![
            Row::at_most("start on an empty SQLite file to the first answer", 100.0, " ms", &Spread::of(starts), ""),
            Row::at_most("memory of an idle server", 25.0, " MiB", &Spread::of(memory), ""),
            Row::at_most("size of the stripped program", 25.0, " MiB", &Spread::of(vec![size]), ""),
        ],
        details: None,
    })
}
