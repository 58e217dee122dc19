//! Ctrl-C and SIGTERM, for the programs that start others and have to end them.

use tokio::signal::unix::{SignalKind, signal};

/// Comes back once somebody wants this program to end.
pub async fn told_to_stop() {
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        return std::future::pending().await;
    };
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
