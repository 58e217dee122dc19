//! What a decision needs besides its connection.

use super::failover::standby::Standby;
use super::failover::timeline::Timelines;
use crate::clock::Clock;
use crate::store::Known;

#[derive(Clone, Copy)]
pub struct Context<'store> {
    pub clock: &'store Clock,
    pub known: &'store Known,
    pub timelines: &'store Timelines,
    pub standby: &'store Standby,
}
