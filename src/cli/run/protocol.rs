//! What the wrapper and its guard say to each other: one line of JSON each.

use std::io;

use rustix::process::Signal;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

/// What the wrapper asks of its guard. If the wrapper goes away, the guard kills the load.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Order {
    /// The wrapper has heard this signal.
    PassOn(i32),
    /// The load shall end.
    Stop,
    /// A shell has continued the wrapper.
    GoOn,
    Kill,
}

/// What the guard tells its wrapper.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum News {
    Started,
    /// The guard has heard a signal that asks for an end.
    Interrupted,
    /// The command has ended with this exit code; what it has left behind is being ended.
    CommandEnded(u8),
    /// These processes cannot be ended.
    RunOn(Vec<String>),
    /// The command of --on-stop did not do its work; why.
    OnStopFailed(String),
}

/// Both ends of the connection.
pub struct Connection {
    lines: Lines<BufReader<OwnedReadHalf>>,
    output: OwnedWriteHalf,
}

impl Connection {
    pub fn new(socket: std::os::unix::net::UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (input, output) = UnixStream::from_std(socket)?.into_split();
        Ok(Self { lines: BufReader::new(input).lines(), output })
    }

    /// The next message; none if the other side has gone.
    pub async fn next<T: DeserializeOwned>(&mut self) -> Option<T> {
        let line = self.lines.next_line().await.ok()??;
        serde_json::from_str(&line).ok()
    }

    /// Sends a message, unless the other side has gone.
    pub async fn send<T: Serialize>(&mut self, message: &T) {
        if let Ok(mut line) = serde_json::to_vec(message) {
            line.push(b'\n');
            let _ = self.output.write_all(&line).await;
        }
    }
}

/// A signal that was sent as a number.
pub fn signal(number: i32) -> Option<Signal> {
    Signal::from_named_raw(number)
}
