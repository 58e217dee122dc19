//! Whether a command can be run, found out before its test waits for room.
//!
//! It is looked for as execvp does, which starts it in the end.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use elf::ElfStream;
use elf::abi::PT_INTERP;
use elf::endian::AnyEndian;
use rustix::fs::{Access, access};

use crate::cli::exit::{CANNOT_RUN, NOT_FOUND};

/// Where execvp looks if there is no PATH.
const DEFAULT_PATH: &str = "/bin:/usr/bin";
/// How much of a script the kernel reads for its first line.
const FIRST_BYTES: u64 = 256;
/// The longest path that Linux takes.
const LONGEST_PATH: u64 = 4096;
/// What only a shell can do; some are programs as well, and are found before this is asked.
const SHELL_WORDS: [&str; 38] = [
    ".", ":", "!", "[[", "((", "(", "{", "alias", "break", "builtin", "case", "cd", "command", "declare", "eval",
    "exec", "exit", "export", "for", "function", "if", "let", "local", "popd", "pushd", "read", "return", "set",
    "shift", "shopt", "source", "trap", "type", "ulimit", "umask", "unset", "until", "while",
];

/// Why a command cannot be run, with the exit code of shells.
#[derive(Debug, PartialEq, Eq)]
pub struct Unrunnable {
    pub code: u8,
    pub why: String,
}

/// Looks at the program, and at the interpreter that its first line names.
pub fn look(command: &[OsString]) -> Result<(), Unrunnable> {
    let path = std::env::var_os("PATH").unwrap_or_else(|| DEFAULT_PATH.into());
    command.first().map_or(Ok(()), |program| look_in(&path, program))
}

fn look_in(path: &OsStr, program: &OsStr) -> Result<(), Unrunnable> {
    let file = match seek(path, program) {
        Sought::Found(file) => file,
        Sought::Barred(file, error) => return Err(barred(&file, &error)),
        Sought::Missing => return Err(not_found(&missing(program))),
    };
    look_at_interpreter(path, &file)?;
    look_at_loader(&file)
}

/// What became of the search for a program.
enum Sought {
    Found(PathBuf),
    /// It is there, but may not be run.
    Barred(PathBuf, io::Error),
    Missing,
}

fn seek(path: &OsStr, program: &OsStr) -> Sought {
    if program.is_empty() {
        return Sought::Missing;
    }
    // An empty entry is the folder in which this runs.
    let candidates: Vec<PathBuf> = if program.as_bytes().contains(&b'/') {
        vec![program.into()]
    } else {
        std::env::split_paths(path).map(|folder| folder.join(program)).collect()
    };
    let mut barred = None;
    for file in candidates {
        match may_run(&file) {
            Ok(()) => return Sought::Found(file),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {}
            Err(error) => barred = barred.or(Some((file, error))),
        }
    }
    barred.map_or(Sought::Missing, |(file, error)| Sought::Barred(file, error))
}

fn may_run(file: &Path) -> io::Result<()> {
    if fs::metadata(file)?.is_dir() {
        return Err(io::ErrorKind::IsADirectory.into());
    }
    Ok(access(file, Access::EXEC_OK)?)
}

/// A script without such a line is run by sh, as execvp does.
fn look_at_interpreter(path: &OsStr, script: &Path) -> Result<(), Unrunnable> {
    let Some(line) = first_line(script) else { return Ok(()) };
    let script = script.display();
    if line.ends_with(b"\r") {
        return Err(not_found(&format!(
            "cannot run {script}: its first line ends as on Windows, so its interpreter is not found; remove the \
             carriage returns, as sed -i 's/\\r$//' {script} does"
        )));
    }
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
    let Some(interpreter) = words.next().map(OsStr::from_bytes) else { return Ok(()) };
    if let Err(error) = may_run(Path::new(interpreter)) {
        let interpreter = interpreter.display();
        let is_missing = error.kind() == io::ErrorKind::NotFound;
        let what = if is_missing { "is not there".to_owned() } else { format!("cannot be run: {}", reason(&error)) };
        let why = format!(
            "cannot run {script}: its first line names the interpreter {interpreter}, which {what}; install it, or \
             change the line"
        );
        return Err(Unrunnable { code: if is_missing { NOT_FOUND } else { CANNOT_RUN }, why });
    }
    let asked = words.find(|word| *word != b"-S").map(OsStr::from_bytes);
    match asked.filter(|name| interpreter.as_bytes().ends_with(b"/env") && is_plain(name)) {
        Some(name) if matches!(seek(path, name), Sought::Missing) => Err(not_found(&format!(
            "cannot run {script}: its first line asks for the interpreter {}, which is not in the PATH; install it, or \
             change the line",
            name.display()
        ))),
        _ => Ok(()),
    }
}

/// A program that was built for another C library is found, and yet "not found" when it is started.
fn look_at_loader(program: &Path) -> Result<(), Unrunnable> {
    match loader(program) {
        Some(loader) if !Path::new(OsStr::from_bytes(&loader)).exists() => Err(not_found(&format!(
            "cannot run {}: it needs the loader {}, which is not there; install a build for this system's C library, or \
             a static one",
            program.display(),
            OsStr::from_bytes(&loader).display()
        ))),
        _ => Ok(()),
    }
}

/// The loader that a program of this machine's kind names; an emulator may have others elsewhere.
fn loader(program: &Path) -> Option<Vec<u8>> {
    let own = open_elf(Path::new("/proc/self/exe"))?.ehdr.e_machine;
    let mut elf = open_elf(program).filter(|elf| elf.ehdr.e_machine == own)?;
    let named =
        *elf.segments().iter().find(|segment| segment.p_type == PT_INTERP && segment.p_filesz <= LONGEST_PATH)?;
    Some(elf.segment_data(&named).ok()?.split(|byte| *byte == 0).next()?.to_vec())
}

fn open_elf(program: &Path) -> Option<ElfStream<AnyEndian, File>> {
    ElfStream::open_stream(File::open(program).ok()?).ok()
}

/// What stands behind `#!`, if it is a script that can be read.
fn first_line(script: &Path) -> Option<Vec<u8>> {
    let mut start = Vec::new();
    File::open(script).ok()?.take(FIRST_BYTES).read_to_end(&mut start).ok()?;
    start.strip_prefix(b"#!")?.split(|byte| *byte == b'\n').next().map(<[u8]>::to_vec)
}

/// Whether it names a program, and is no option and no assignment of env.
fn is_plain(word: &OsStr) -> bool {
    !word.as_bytes().starts_with(b"-") && !word.as_bytes().contains(&b'=')
}

fn barred(file: &Path, error: &io::Error) -> Unrunnable {
    let name = file.display();
    let what = match error.kind() {
        io::ErrorKind::IsADirectory => "it is a folder; give the program in it".to_owned(),
        io::ErrorKind::PermissionDenied if mode(file) == Some(0) => {
            format!("it is not executable; make it so with chmod +x {name}, or give its interpreter first")
        }
        io::ErrorKind::PermissionDenied if mode(file).is_some() => {
            "you may not run it; see its permissions, and whether its file system is mounted noexec".to_owned()
        }
        _ => format!("{}; see who may read the folders on its path", reason(error)),
    };
    Unrunnable { code: CANNOT_RUN, why: format!("cannot run {name}: {what}") }
}

/// Who may run the file, if it can be seen.
fn mode(file: &Path) -> Option<u32> {
    Some(fs::metadata(file).ok()?.permissions().mode() & 0o111)
}

/// The system's words without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_lowercase()
}

fn not_found(why: &str) -> Unrunnable {
    Unrunnable { code: NOT_FOUND, why: why.to_owned() }
}

/// What to do about a program that is not there.
fn missing(program: &OsStr) -> String {
    let text = program.to_string_lossy();
    let first = text.split_whitespace().next().unwrap_or_default();
    // Nothing behind the name is shown: it may be a secret.
    if let Some((variable, _)) = first.split_once('=').filter(|(name, _)| !name.contains('/')) {
        return format!(
            "cannot run {variable}=…: it sets a variable; set it in front of perfreg, or begin the command with env"
        );
    }
    if first.is_empty() {
        return "cannot run the command: its first word is empty, perhaps as a variable is; give a program".to_owned();
    }
    if text.contains(char::is_whitespace) {
        return format!(
            "cannot run \"{first} …\": the whole line is one word; leave out its quotes, or give it to a shell: -- sh -c \
             '{first} …'"
        );
    }
    if SHELL_WORDS.contains(&first) || first.starts_with(['|', '&', ';', '<', '>', '(']) {
        return format!("cannot run {first}: only a shell can do it; give the line to one: -- sh -c '{first} …'");
    }
    if first.starts_with("~/") {
        return format!(
            "cannot run {first}: a shell replaces ~ only outside of quotes; write \"$HOME{}\"",
            &first[1..]
        );
    }
    let file = Path::new(program);
    if let Ok(target) = fs::read_link(file) {
        return format!("cannot run {first}: it is a link to {}, which is not there; mend the link", target.display());
    }
    if first.contains('/') {
        return format!("cannot run {first}: there is no such file; give its path from the folder in which this runs");
    }
    if file.is_file() {
        return format!("cannot run {first}: it is not in the PATH; give it as ./{first}");
    }
    format!("cannot run {first}: it is not in the PATH; install it, or give its path")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use tempfile::TempDir;

    use super::*;

    /// A folder with a file of each kind.
    fn folder() -> TempDir {
        let folder = TempDir::new().expect("a folder");
        let script = |name: &str, text: &str, mode: u32| {
            let path = folder.path().join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).expect("changed");
        };
        script("good", "#!/bin/sh\nexit 0\n", 0o755);
        script("spaced", "#! /bin/sh -e\nexit 0\n", 0o755);
        script("plain", "exit 0\n", 0o755);
        script("empty", "", 0o755);
        script("nothing-named", "#!\nexit 0\n", 0o755);
        script("by-env", "#!/usr/bin/env -S sh -e\nexit 0\n", 0o755);
        script("windows", "#!/bin/sh\r\necho hi\r\n", 0o755);
        script("windows-env", "#!/usr/bin/env sh\r\necho hi\r\n", 0o755);
        script("lost", "#!/nowhere/python9 -u\n", 0o755);
        script("lost-env", "#!/usr/bin/env no-such-interpreter\n", 0o755);
        script("not-executable", "#!/bin/sh\n", 0o644);
        script("by-folder", "#!/\n", 0o755);
        fs::create_dir(folder.path().join("sub")).expect("made");
        symlink("/nowhere/k6", folder.path().join("dangling")).expect("linked");
        folder
    }

    #[test]
    fn what_runs_is_let_through() {
        let folder = folder();
        let path = folder.path().as_os_str();
        let mut both = OsString::from("/nowhere:");
        both.push(path);
        for name in ["good", "spaced", "plain", "empty", "nothing-named"] {
            assert_eq!(look_in(path, OsStr::new(name)), Ok(()), "{name}");
            assert_eq!(look_in(&both, OsStr::new(name)), Ok(()), "{name}");
            assert_eq!(look_in(OsStr::new(""), folder.path().join(name).as_os_str()), Ok(()), "{name}");
        }
        let whole: OsString = std::env::var_os("PATH").expect("a PATH");
        assert_eq!(look_in(&whole, folder.path().join("by-env").as_os_str()), Ok(()));
        assert_eq!(look_in(OsStr::new(DEFAULT_PATH), OsStr::new("sh")), Ok(()));
        let long = folder.path().join("good");
        let spaced = folder.path().join("with a space");
        fs::copy(long, &spaced).expect("copied");
        assert_eq!(look_in(path, spaced.as_os_str()), Ok(()), "a word with blanks may be a file");
    }

    #[test]
    fn a_program_whose_loader_is_missing_is_told_from_one_that_is_missing() {
        let folder = folder();
        let program = folder.path().join("other-libc");
        let mut bytes = fs::read("/bin/sh").expect("a program");
        let loader = bytes.windows(4).position(|window| window == b"/ld-").expect("it names a loader");
        bytes[loader + 1] = b'x';
        fs::write(&program, bytes).expect("written");
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).expect("changed");
        assert_eq!(look_in(OsStr::new(""), OsStr::new("/bin/sh")), Ok(()));
        let Unrunnable { code, why } = look_in(OsStr::new(""), program.as_os_str()).expect_err("no such loader");
        assert!(code == 127 && why.contains("it needs the loader ") && why.contains("/xd-"), "{why}");
    }

    #[test]
    fn what_does_not_run_is_refused_with_advice_of_its_own() {
        let folder = folder();
        let path = folder.path().as_os_str();
        let here = |name: &str| folder.path().join(name).display().to_string();
        for (program, code, advice) in [
            ("no-such-tool", 127, "it is not in the PATH; install it, or give its path"),
            (&here("no-such-tool"), 127, "there is no such file"),
            (&here("dangling"), 127, "it is a link to /nowhere/k6"),
            ("not-executable", 126, "chmod +x"),
            (&here("not-executable"), 126, "chmod +x"),
            (&here("sub"), 126, "it is a folder"),
            ("sub", 126, "it is a folder"),
            ("windows", 127, "its first line ends as on Windows"),
            ("windows-env", 127, "its first line ends as on Windows"),
            ("lost", 127, "the interpreter /nowhere/python9, which is not there"),
            ("lost-env", 127, "the interpreter no-such-interpreter, which is not in the PATH"),
            ("by-folder", 126, "the interpreter /, which cannot be run"),
            ("cd", 127, "sh -c 'cd …'"),
            ("source", 127, "sh -c 'source …'"),
            ("ulimit", 127, "sh -c 'ulimit …'"),
            ("|", 127, "only a shell can do it"),
            (">log", 127, "only a shell can do it"),
            ("k6 run t.js", 127, "sh -c 'k6 …'"),
            ("echo a | cat", 127, "sh -c 'echo …'"),
            ("./load.sh -v", 127, "sh -c './load.sh …'"),
            ("TOKEN=s3cret", 127, "cannot run TOKEN=…: it sets a variable"),
            ("TOKEN=s3cret k6 run t.js", 127, "cannot run TOKEN=…: it sets a variable"),
            ("", 127, "its first word is empty"),
            (" ", 127, "its first word is empty"),
            ("~/bin/k6", 127, "write \"$HOME/bin/k6\""),
            ("good/k6", 127, "there is no such file"),
        ] {
            let Unrunnable { code: found, why } = look_in(path, OsStr::new(program)).expect_err(program);
            assert_eq!(found, code, "{program}: {why}");
            assert!(why.starts_with("cannot run ") && why.contains(advice), "{program}: {why}");
            assert!(!why.contains("s3cret"), "{why}");
        }
    }
}
