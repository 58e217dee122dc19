//! Stands between a server and its database, and can be cut.

use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// Forwards connections while it is up; while it is down, it breaks off those it has and
/// refuses to forward new ones, as a database does that was stopped.
pub struct Proxy {
    pub port: u16,
    up: Arc<watch::Sender<bool>>,
    hung: watch::Sender<()>,
}

impl Proxy {
    pub async fn start(target: String, up: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let up = Arc::new(watch::Sender::new(up));
        let hung = watch::Sender::new(());
        let (switch, hangs) = (Arc::clone(&up), hung.subscribe());
        tokio::spawn(async move {
            while let Ok((mut client, _)) = listener.accept().await {
                let (mut state, mut hung, target) = (switch.subscribe(), hangs.clone(), target.clone());
                hung.mark_unchanged();
                if !*state.borrow_and_update() {
                    continue;
                }
                tokio::spawn(async move {
                    let mut server = TcpStream::connect(&target).await.expect("the database is there");
                    let hangs = tokio::select! {
                        _ = copy_bidirectional(&mut client, &mut server) => false,
                        _ = state.wait_for(|up| !up) => false,
                        Ok(()) = hung.changed() => true,
                    };
                    if hangs {
                        std::future::pending::<()>().await;
                    }
                });
            }
        });
        Self { port, up, hung }
    }

    /// Forwards nothing more on the connections that are there, nor does it close them, as if the
    /// machine behind them had vanished. New ones are forwarded.
    pub fn hang(&self) {
        self.hung.send_replace(());
    }

    pub fn set_up(&self, up: bool) {
        self.up.send_replace(up);
    }
}
