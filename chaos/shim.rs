//! What is loaded into the processes to make their disks and clocks fail, and its switches.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

/// The library, compiled from `faults.c`.
pub fn build(directory: &Path) -> Result<PathBuf> {
    let (source, library) = (concat!(env!("CARGO_MANIFEST_DIR"), "/chaos/faults.c"), directory.join("faults.so"));
    let mut compiler = Command::new("cc");
    compiler.args(["-shared", "-fPIC", "-O2", "-o"]).arg(&library).arg(source).arg("-ldl");
    let output = compiler.output().context("cannot run cc; install a C compiler")?;
    ensure!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
    Ok(library)
}

/// The switches of one process and its children.
#[derive(Debug)]
pub struct Switches {
    library: PathBuf,
    path: PathBuf,
    file: File,
}

impl Switches {
    pub fn new(library: &Path, path: PathBuf) -> Result<Self> {
        fs::write(&path, [0; 16])?;
        let file = File::options().write(true).open(&path)?;
        Ok(Self { library: library.to_owned(), path, file })
    }

    pub fn load_into(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library).env("CHAOS_SWITCHES", &self.path);
    }

    pub fn fail_fsync(&self, fails: bool) -> Result<()> {
        Ok(self.file.write_all_at(&i32::from(fails).to_ne_bytes(), 0)?)
    }

    pub fn fill_disk(&self, is_full: bool) -> Result<()> {
        Ok(self.file.write_all_at(&i32::from(is_full).to_ne_bytes(), 4)?)
    }

    pub fn set_clock_ahead(&self, seconds: i64) -> Result<()> {
        Ok(self.file.write_all_at(&seconds.to_ne_bytes(), 8)?)
    }
}
