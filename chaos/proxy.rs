//! Stands between two that talk to each other, and can spoil it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::sleep;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Breaks off what is there, and whatever comes.
    Reset,
    /// Half-open: takes everything and hands on nothing. What was taken is never handed on, also afterwards.
    Silent,
    /// Hands everything on later.
    Delay(Duration),
}

pub struct Proxy {
    pub address: SocketAddr,
    target: Arc<watch::Sender<SocketAddr>>,
    mode: Arc<watch::Sender<Mode>>,
}

impl Proxy {
    pub async fn start(target: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let mode = Arc::new(watch::Sender::new(Mode::Pass));
        let target = Arc::new(watch::Sender::new(target));
        let (switch, towards) = (Arc::clone(&mode), Arc::clone(&target));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let target = *towards.borrow();
                tokio::spawn(forward(client, target, switch.subscribe()));
            }
        });
        Ok(Self { address, target, mode })
    }

    /// New connections go elsewhere.
    pub fn redirect(&self, target: SocketAddr) {
        self.target.send_replace(target);
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }
}

async fn forward(client: TcpStream, target: SocketAddr, mode: watch::Receiver<Mode>) {
    if *mode.borrow() == Mode::Reset {
        break_off(&client);
        return;
    }
    // Nobody listens while the server is down; the client sees its connection closed.
    let Ok(server) = TcpStream::connect(target).await else { return };
    let _ = (client.set_nodelay(true), server.set_nodelay(true));
    let (mut watched, is_reset) = (mode.clone(), |mode: &Mode| *mode == Mode::Reset);
    let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
    let there = copy(from_client, to_server, mode.clone());
    let back = copy(from_server, to_client, mode);
    tokio::select! {
        ((), ()) = async { tokio::join!(there, back) } => {}
        _ = watched.wait_for(is_reset) => {}
    }
}

async fn copy(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mode: watch::Receiver<Mode>) {
    let mut buffer = vec![0; 16 * 1_024];
    let mut is_cut = false;
    while let Ok(count @ 1..) = from.read(&mut buffer).await {
        let now = *mode.borrow();
        if let Mode::Delay(time) = now {
            sleep(time).await;
        }
        // A stream with a hole in it would be no stream any more.
        is_cut |= now == Mode::Silent;
        if !is_cut && to.write_all(&buffer[..count]).await.is_err() {
            break;
        }
    }
    if is_cut {
        // Nobody is told of the end either.
        sleep(LONGEST_SILENCE).await;
    }
    let _ = to.shutdown().await;
}

const LONGEST_SILENCE: Duration = Duration::from_mins(1);

/// Closes with a reset instead of an end.
fn break_off(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
