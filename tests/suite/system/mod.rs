//! Whole systems: several servers, crashes, outages, and large data.

mod audit;
mod backup;
mod connections;
mod crash;
mod disk_full;
mod evidence;
mod memory;
mod merging;
mod one_file;
mod outage;
mod race;
mod restore;
mod standby;
mod stop;
mod upgrade;
mod waiters;
