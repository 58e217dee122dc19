//! Programs that run another program, and where it stands in their arguments.

/// A wrapper: its names, the options that take the next word, and the words that stand before the program.
struct Wrapper {
    names: &'static [&'static str],
    valued: &'static [&'static str],
    words_before: usize,
    /// Words such as run, without which it wraps nothing.
    verbs: &'static [&'static str],
}

const fn wrapper(names: &'static [&'static str], valued: &'static [&'static str]) -> Wrapper {
    Wrapper { names, valued, words_before: 0, verbs: &[] }
}

const fn runner(
    names: &'static [&'static str],
    verbs: &'static [&'static str],
    valued: &'static [&'static str],
    words_before: usize,
) -> Wrapper {
    Wrapper { names, valued, words_before, verbs }
}

const CONTAINER_OPTIONS: &[&str] = &[
    "-v",
    "--volume",
    "-e",
    "--env",
    "--env-file",
    "--name",
    "-w",
    "--workdir",
    "-u",
    "--user",
    "-p",
    "--publish",
    "--network",
    "--net",
    "--mount",
    "--entrypoint",
    "-m",
    "--memory",
    "--cpus",
    "--cpuset-cpus",
    "-l",
    "--label",
    "--add-host",
    "--link",
    "--platform",
    "--cidfile",
    "--ulimit",
    "-h",
    "--hostname",
    "--pull",
    "--restart",
    "--gpus",
    "--shm-size",
    "--tmpfs",
    "--log-driver",
    "--log-opt",
    "--dns",
    "--device",
    "--cap-add",
    "--cap-drop",
    "--security-opt",
    "--ipc",
    "--pid",
    "-f",
    "--file",
    "--profile",
    "--project-name",
    "-n",
    "--namespace",
    "-c",
    "--container",
    "--context",
    "-a",
    "--attach",
];

const WRAPPERS: [Wrapper; 24] = [
    wrapper(&["env"], &["-u", "--unset", "-C", "--chdir", "-a", "--argv0"]),
    wrapper(&["nice"], &["-n", "--adjustment"]),
    wrapper(&["ionice"], &["-c", "--class", "-n", "--classdata"]),
    wrapper(
        &["nohup", "setsid", "exec", "command", "unbuffer", "chronic", "catchsegv", "tini", "dumb-init", "caffeinate"],
        &[],
    ),
    wrapper(&["time"], &["-f", "--format", "-o", "--output"]),
    wrapper(&["stdbuf"], &["-i", "-o", "-e", "--input", "--output", "--error"]),
    wrapper(&["sudo", "doas"], &["-u", "--user", "-g", "--group", "-h", "--host", "-p", "--prompt", "-D", "--chdir"]),
    wrapper(&["strace", "ltrace"], &["-o", "-e", "-p", "-s"]),
    wrapper(&["numactl"], &["-N", "-m", "-C"]),
    wrapper(&["xvfb-run"], &["-n", "-s", "-e", "-f", "--server-args"]),
    wrapper(&["npx", "bunx", "pnpx"], &["-p", "--package", "-w", "--workspace"]),
    wrapper(&["uvx"], &["--from", "--with", "-p", "--python"]),
    wrapper(&["systemd-run", "cgexec"], &["-p", "--property", "-u", "--unit", "-E", "--setenv", "--slice", "-g"]),
    Wrapper { words_before: 1, ..wrapper(&["timeout", "gtimeout"], &["-k", "--kill-after", "-s", "--signal"]) },
    // A mask, or a list behind -c, stands before the program.
    Wrapper {
        words_before: 1,
        ..wrapper(&["taskset", "chrt", "gosu", "su-exec", "flock"], &["-w", "--timeout", "-E"])
    },
    runner(
        &["npm", "pnpm", "yarn"],
        &["exec", "x", "dlx", "run", "run-script"],
        &["-w", "--workspace", "-p", "--package"],
        0,
    ),
    // Without such a verb they are given a program, or a script of the package.
    wrapper(&["yarn", "pnpm"], &["--cwd", "-C", "--dir"]),
    runner(
        &["uv", "poetry", "pipenv", "rye", "hatch", "pdm", "pipx", "conda", "dotenv", "op", "doppler"],
        &["run"],
        &[
            "--with",
            "--python",
            "-p",
            "--extra",
            "--group",
            "--project",
            "--directory",
            "--env-file",
            "-n",
            "--name",
            "-f",
            "--spec",
        ],
        0,
    ),
    runner(&["bundle", "mise", "rbenv", "pyenv", "asdf"], &["exec"], &[], 0),
    runner(&["aws-vault", "chamber", "direnv"], &["exec"], &[], 1),
    runner(&["bun", "deno", "go"], &["run"], &["-r", "--preload", "-c", "--config"], 0),
    runner(&["docker", "podman", "nerdctl"], &["run"], CONTAINER_OPTIONS, 0),
    runner(&["docker", "podman", "nerdctl", "kubectl", "oc", "lxc"], &["exec"], CONTAINER_OPTIONS, 1),
    runner(&["docker-compose", "podman-compose"], &["run"], CONTAINER_OPTIONS, 0),
];

const SHELLS: [&str; 7] = ["sh", "bash", "dash", "zsh", "ksh", "ash", "fish"];
const INTERPRETERS: [&str; 10] =
    ["python", "pypy", "node", "nodejs", "ruby", "perl", "tsx", "ts-node", "pwsh", "groovy"];
/// Options of interpreters and shells whose value is not what they run.
const INTERPRETER_VALUES: [&str; 10] =
    ["-X", "-W", "-r", "--require", "--import", "--loader", "-I", "-O", "--rcfile", "--init-file"];
/// Options of interpreters behind which the program itself stands.
const PROGRAM_TEXT: [&str; 7] = ["-c", "-e", "--eval", "-p", "--print", "-Command", "-"];
/// More than any sensible command has; what remains is taken as it stands.
const MOST_WRAPPERS: usize = 16;

/// Sees through everything that only runs another program: that program and its arguments.
pub fn unwrap<'a>(words: &'a [&'a str]) -> &'a [&'a str] {
    let mut words = words;
    for _ in 0..MOST_WRAPPERS {
        match inner(words) {
            Some(inner) if !inner.is_empty() => words = inner,
            _ => break,
        }
    }
    words
}

/// What the first word runs, if all that it does is to run something else.
fn inner<'a>(words: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let (program, arguments) = words.split_first()?;
    let name = base(program);
    // With a version, as in python3.12.
    let plain = name.trim_end_matches(|character: char| character.is_ascii_digit() || character == '.');
    if SHELLS.contains(&name) {
        return of_shell(arguments);
    }
    if INTERPRETERS.contains(&plain) {
        return of_interpreter(arguments);
    }
    if name == "perfreg" {
        return arguments.split(|word| *word == "--").nth(1);
    }
    if name == "java" {
        return of_java(arguments);
    }
    if name == "docker" && arguments.first() == Some(&"compose") {
        return behind_verb(&arguments[1..], &["run", "exec"], CONTAINER_OPTIONS, 0);
    }
    WRAPPERS.iter().filter(|wrapper| wrapper.names.contains(&name)).find_map(|wrapper| {
        if wrapper.verbs.is_empty() {
            behind(arguments, wrapper.valued, wrapper.words_before)
        } else {
            behind_verb(arguments, wrapper.verbs, wrapper.valued, wrapper.words_before)
        }
    })
}

fn behind_verb<'a>(
    arguments: &'a [&'a str],
    verbs: &[&str],
    valued: &[&str],
    words_before: usize,
) -> Option<&'a [&'a str]> {
    let verb = behind(arguments, valued, 0)?;
    verbs.contains(verb.first()?).then(|| behind(&verb[1..], valued, words_before))?
}

/// What stands behind options, assignments, and so many words more.
pub fn behind<'a>(arguments: &'a [&'a str], valued: &[&str], words_before: usize) -> Option<&'a [&'a str]> {
    let (mut index, mut left) = (0, words_before);
    loop {
        let word = *arguments.get(index)?;
        if valued.contains(&word) {
            index += 2;
        } else if word.starts_with('-') || is_assignment(word) {
            index += 1;
        } else if left > 0 {
            (index, left) = (index + 1, left - 1);
        } else {
            return Some(&arguments[index..]);
        }
    }
}

/// The script file that a shell runs; none for a script in an argument, as behind -c or -lc.
fn of_shell<'a>(arguments: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let mut index = 0;
    loop {
        match *arguments.get(index)? {
            word if word.starts_with("--") => index += 1 + usize::from(INTERPRETER_VALUES.contains(&word)),
            word if word.starts_with('-') && word.ends_with('c') => return None,
            // As in -eo pipefail.
            word if word.starts_with('-') => index += 1 + usize::from(word.ends_with(['o', 'O'])),
            _ => return arguments.get(index..),
        }
    }
}

/// The script or the module that an interpreter runs; none for a program in an argument.
fn of_interpreter<'a>(arguments: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let mut index = 0;
    loop {
        match *arguments.get(index)? {
            "-m" => return arguments.get(index + 1..),
            word if PROGRAM_TEXT.contains(&word) => return None,
            word if word.starts_with('-') => index += 1 + usize::from(INTERPRETER_VALUES.contains(&word)),
            _ => return arguments.get(index..),
        }
    }
}

/// The jar, or the class, that Java runs.
fn of_java<'a>(arguments: &'a [&'a str]) -> Option<&'a [&'a str]> {
    let mut index = 0;
    loop {
        match *arguments.get(index)? {
            "-jar" => return arguments.get(index + 1..),
            "-cp" | "-classpath" | "--class-path" | "-p" | "--module-path" => index += 2,
            word if word.starts_with('-') || word.starts_with('@') => index += 1,
            _ => return arguments.get(index..),
        }
    }
}

fn is_assignment(word: &str) -> bool {
    let is_name = |name: &str| {
        name.chars().all(|character| character.is_ascii_alphanumeric() || character == '_')
            && name.chars().next().is_some_and(|first| !first.is_ascii_digit())
    };
    word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

fn base(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or_default()
}

/// The program's file; of an image or a package without its version, as in `grafana/k6:0.49` and `artillery@latest`.
pub fn tool_name(program: &str) -> &str {
    let name = base(program.trim_end_matches('/'));
    name.split(['@', ':']).next().filter(|tool| !tool.is_empty()).unwrap_or(name)
}
