//! The primary is lost together with everything that its standby had not confirmed.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use rustix::process::Signal;
use tokio::time::sleep;

use crate::postgres::{Postgres, send};
use crate::world::World;

/// For how long commits wait for a standby that does not answer, and are told not to.
const CUT_OFF: Duration = Duration::from_secs(3);

/// Cuts the standby off, cancels the commits that wait for it, kills the primary, and lets the standby take over.
///
/// A commit whose wait is cancelled looks like any other to who sent it, but for a warning: it is there, on the primary
/// only. Whoever acknowledges it has lost it in the end.
pub async fn fail_over(world: &World, primary: &Postgres, standby: &Arc<Postgres>) -> Result<()> {
    let client = primary.connect().await?;
    let receivers = standby.wal_receivers();
    send(&receivers, Signal::STOP);
    let until = Instant::now() + CUT_OFF;
    while Instant::now() < until {
        client
            .batch_execute("SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'")
            .await?;
        sleep(Duration::from_millis(50)).await;
    }
    primary.kill();
    // What is in the receiver's socket must not arrive after all.
    send(&receivers, Signal::KILL);
    for replica in &world.replicas {
        if let Some(proxy) = &replica.database {
            proxy.redirect(standby.address);
        }
    }
    for _ in 0..100 {
        if standby.promote()? {
            return standby.wait_until_ready().await;
        }
        sleep(Duration::from_millis(200)).await;
    }
    bail!("the standby cannot be promoted")
}
