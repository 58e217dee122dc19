//! Everything that is tested from outside the modules, in one binary: it links once.

mod browser;
mod chaos;
mod cli;
mod documents;
mod http;
mod layering;
mod moving;
mod network;
mod newcomer;
mod registry;
mod rings;
mod run;
mod seeded_bugs;
mod simulation;
mod store;
mod support;
mod system;
mod upgrades;
