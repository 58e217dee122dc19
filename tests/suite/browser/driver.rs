//! The one chromedriver of this process, on a free port.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use crate::support::server::PATIENCE;

/// Where it listens; the first who asks starts it.
pub fn url() -> &'static str {
    static URL: OnceLock<String> = OnceLock::new();
    URL.get_or_init(|| {
        let (tell, told) = sync_channel(1);
        thread::spawn(move || keep(&tell));
        let port = told.recv_timeout(PATIENCE).expect("chromedriver says within 30 s on which port it listens");
        format!("http://127.0.0.1:{port}")
    })
}

/// The system ends chromedriver together with the thread that has started it, so this one lives as long as the process.
fn keep(tell: &SyncSender<String>) {
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "chromedriver", "--port=0"]);
    let mut driver = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("setpriv is of util-linux");
    let lines = BufReader::new(driver.stdout.take().expect("piped")).lines().map_while(Result::ok);
    for line in lines {
        if let Some((_, port)) = line.split_once("started successfully on port ") {
            // Who asked may have given up.
            let _ = tell.send(port.trim_end_matches('.').to_owned());
        }
    }
    let _ = driver.wait();
}
