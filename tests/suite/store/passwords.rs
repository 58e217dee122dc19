//! Where PostgreSQL's password comes from, and what a person is told who has to mend something.

use std::fs::{self, Permissions};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::thread;
use std::time::Instant;

use perfreg::clock::Clock;
use perfreg::config::database::DatabaseConfig;
use perfreg::config::passwords::PasswordSources;
use perfreg::store::{self, StoreError};
use serde_json::json;
use tempfile::TempDir;

use crate::support::database::{Engine, TestDatabase};
use crate::support::http::example;
use crate::support::server::{PATIENCE, TestServer, collect, perfreg, wait_for_exit};

const PASSWORD: &str = "s3cret:of\\ours";
/// As a password file has it.
const ESCAPED: &str = r"s3cret\:of\\ours";

/// A database whose owner is asked for a password.
struct Guarded {
    database: TestDatabase,
    role: String,
    folder: TempDir,
}

impl Guarded {
    async fn new() -> Self {
        let database = TestDatabase::new(Engine::Postgres).await;
        let (_, name) = database.direct_url.rsplit_once('/').expect("a database");
        let role = format!("owner_of_{name}");
        let group = "DO $$ BEGIN CREATE ROLE asked_for_password; EXCEPTION WHEN duplicate_object OR unique_violation THEN END $$";
        let owner = format!(
            "CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}' IN ROLE asked_for_password; ALTER DATABASE {name} OWNER TO {role};
             GRANT CREATE ON SCHEMA public TO {role}"
        );
        let client = database.connect().await;
        client.batch_execute(group).await.expect("a group");
        client.batch_execute(&owner).await.expect("an owner");
        Self { database, role, folder: TempDir::new().expect("a folder") }
    }

    /// Its URL, without a password.
    fn url(&self) -> String {
        self.database.direct_url.replace("postgres@", &format!("{}@", self.role))
    }

    fn url_with(&self, password: &str) -> String {
        self.database.direct_url.replace("postgres@", &format!("{}:{password}@", self.role))
    }

    fn file(&self, name: &str, text: &str, mode: u32) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).expect("a file");
        fs::set_permissions(&path, Permissions::from_mode(mode)).expect("its owner may");
        path
    }

    /// What opening it comes to.
    async fn open(&self, url: &str, passwords: PasswordSources) -> Result<(), StoreError> {
        let config = DatabaseConfig { url: url.parse().expect("a URL"), passwords, ..self.database.config() };
        store::open(&config, Clock::Real)?.prepare().await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_password_of_the_url_wins_over_the_file_and_that_over_pgpassword_and_pgpassfile() {
    let guarded = Guarded::new().await;
    let encoded = "s3cret%3Aof%5Cours";
    let right = Some(guarded.file("right", &format!(" {PASSWORD}\r\n"), 0o444));
    let wrong = Some(guarded.file("wrong", "wrong", 0o600));
    let role = &guarded.role;
    let passfile = Some(guarded.file("passfile", &format!("*:*:*:other:x\n*:*:*:{role}:{ESCAPED}\n"), 0o600));
    let variable = |text: &str| Some(text.to_owned());
    let file = |file: &Option<PathBuf>| PasswordSources { file: file.clone(), ..PasswordSources::default() };
    for (url, passwords) in [
        (guarded.url_with(encoded), PasswordSources::default()),
        (guarded.url_with(encoded), file(&wrong)),
        (guarded.url(), PasswordSources { variable: variable("wrong"), ..file(&right) }),
        (guarded.url(), PasswordSources { variable: variable(PASSWORD), passfile: wrong.clone(), ..file(&None) }),
        (guarded.url(), PasswordSources { passfile: passfile.clone(), ..file(&None) }),
    ] {
        guarded.open(&url, passwords.clone()).await.unwrap_or_else(|error| panic!("{passwords:?}: {error}"));
    }
    for (url, passwords, reason) in [
        (guarded.url_with("wrong"), file(&right), "password authentication failed"),
        (
            guarded.url(),
            PasswordSources { variable: variable(PASSWORD), ..file(&wrong) },
            "password authentication failed",
        ),
        (
            guarded.url(),
            PasswordSources { variable: variable("wrong"), passfile, ..file(&None) },
            "authentication failed",
        ),
        (guarded.url(), file(&None), "asks for a password and none is given"),
        (
            guarded.url(),
            file(&Some("/nowhere/password".into())),
            "cannot read the password file /nowhere/password: No such",
        ),
        (guarded.url(), file(&Some(guarded.file("empty", "\n", 0o600))), "it is empty"),
    ] {
        let error = guarded.open(&url, passwords.clone()).await.expect_err("a wrong password");
        let is_told = matches!(&error, StoreError::Unsuitable(text) if text.contains(reason));
        assert!(is_told && !error.to_string().contains("s3cret"), "{passwords:?}: {error}");
    }
}

fn serve(url: &str) -> std::process::Command {
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", url]);
    command
}

#[tokio::test(flavor = "multi_thread")]
async fn pgpassword_and_pgpassfile_are_read_as_by_libpq() {
    let guarded = Guarded::new().await;
    let line = format!("localhost:*:*:{}:{ESCAPED}", guarded.role);
    let passfile = guarded.file("passfile", &line, 0o600);
    fs::copy(&passfile, guarded.folder.path().join(".pgpass")).expect("a copy keeps its mode");
    for (name, value) in
        [("PGPASSWORD", Path::new(PASSWORD)), ("PGPASSFILE", &passfile), ("HOME", guarded.folder.path())]
    {
        let server = TestServer::start_with(serve(&guarded.url()).env(name, value));
        assert_eq!(server.http().get("/readyz").await.status, 200, "{name}");
        assert!(!server.log().contains("s3cret"), "{}", server.log());
    }
    let open_to_others = guarded.file("open", &line, 0o640);
    let (_, said) = why_not(serve(&guarded.url()).env("PGPASSFILE", &open_to_others));
    assert!(said.contains("open is not used: others may read it; chmod 0600 it"), "{said}");
    assert!(said.contains("asks for a password and none is given"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_of_this_machine_needs_no_tls_and_has_lines_of_its_own_in_a_password_file() {
    let guarded = Guarded::new().await;
    let (_, name) = guarded.database.direct_url.rsplit_once('/').expect("a database");
    let asked = "SELECT current_setting('unix_socket_directories'), current_setting('port')";
    let row = guarded.database.connect().await.query_one(asked, &[]).await.expect("an answer");
    let (folder, port): (&str, &str) = (row.get(0), row.get(1));
    let role = &guarded.role;
    let url = format!("postgresql://{role}@/{name}?host={folder}&port={port}&sslmode=require");
    let passwords = |host: &str| {
        let file = guarded.file("passfile", &format!("{host}:{port}:{name}:{role}:{ESCAPED}"), 0o600);
        PasswordSources { passfile: Some(file), ..PasswordSources::default() }
    };
    guarded.open(&url, passwords(folder)).await.expect("the line of the socket");
    guarded.open(&url, passwords("localhost")).await.expect_err("the line of another folder's socket");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_rotated_needs_no_restart() {
    let guarded = Guarded::new().await;
    let file = guarded.file("password", PASSWORD, 0o600);
    let server = TestServer::start_with(serve(&guarded.url()).arg("--database-password-file").arg(&file));
    let http = server.http();
    http.admit(json!({"location": null})).await;
    let role = &guarded.role;
    let rotate = format!(
        "ALTER ROLE {role} PASSWORD 'another';
         SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = '{role}'"
    );
    guarded.database.connect().await.batch_execute(&rotate).await.expect("another password");
    let register = async || http.post("/register", &example(json!({"location": null}))).await;
    let give_up = Instant::now() + PATIENCE;
    while register().await.status != 503 {
        assert!(Instant::now() < give_up, "it goes on with the old password");
    }
    // As a mounted secret changes: the whole file at once.
    fs::rename(guarded.file("new", "another\n", 0o600), &file).expect("one folder");
    while register().await.status != 200 {
        assert!(Instant::now() < give_up, "{}", server.log());
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
    }
    assert!(!server.log().contains("s3cret") && !server.log().contains("another"), "{}", server.log());
}

/// What a server says that does not start, and its exit code.
fn why_not(command: &mut std::process::Command) -> (Option<i32>, String) {
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the binary starts");
    let said = collect(child.stderr.take().expect("piped"));
    let status = wait_for_exit(&mut child);
    let said = said.lock().expect("no panic while reading").clone();
    (status.code(), said)
}

/// Answers whatever is asked with these bytes.
fn answers(bytes: &'static [u8]) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut asked = [0; 8];
            let _ = stream.read(&mut asked).and_then(|_| stream.write_all(bytes));
            // Until the other side has gone.
            thread::spawn(move || while matches!(stream.read(&mut asked), Ok(1..)) {});
        }
    });
    port
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_a_person_has_to_help_stops_and_says_how() {
    let guarded = Guarded::new().await;
    let (no_tls, web) = (answers(b"N"), answers(b"HTTP/1.1 400 Bad Request\r\n\r\n"));
    let direct = &guarded.database.direct_url;
    let authority = std::env::var("PERFREG_TEST_POSTGRES_CA").expect("./test sets it");
    let (server, _) = direct.rsplit_once('/').expect("a database");
    let role = &guarded.role;
    let without_schema = format!("ALTER ROLE {role} SET search_path = ''");
    guarded.database.connect().await.batch_execute(&without_schema).await.expect("a setting");
    for (url, advice) in [
        (guarded.url_with("s3cret-wrong"), "; correct the password in the URL, PGPASSWORD or the password file"),
        (guarded.url(), "asks for a password and none is given; give one in the URL, in PGPASSWORD"),
        (guarded.url_with("s3cret%3Aof%5Cours"), "give the user a search_path, such as with ?options="),
        (format!("{server}/s3"), "does not exist; create it, or name another one in the URL, behind the host"),
        (
            format!("postgresql://me:s3cret@127.0.0.1:{no_tls}/d?sslmode=require"),
            "switch TLS on there, or write sslmode",
        ),
        (format!("{direct}?sslmode=verify-full"), "name the file of its authority with sslrootcert= in the URL"),
        (
            format!("{}?sslmode=verify-full&sslrootcert={authority}", direct.replace("localhost", "127.0.0.1")),
            "its certificate is for another host: invalid peer certificate: certificate not valid for name \"127.0.0.1\"",
        ),
        (format!("{direct}?sslnegotiation=direct"), "weak sslmode"),
        (format!("{direct}?application_name=%FF"), "what is percent-encoded in it is not UTF-8"),
        (format!("{direct}?options=-c%20nonsense%3D1"), "unrecognized configuration parameter \"nonsense\""),
        // A web server.
        (format!("postgresql://me:s3cret@127.0.0.1:{web}/d?sslmode=require"), "does not offer TLS, which sslmode"),
        ("postgresql://me:s3cret@@db/d".to_owned(), "--database is wrong: there is an @ too many; percent-encode"),
        (
            "postgresql://me:s3cret@db/d?foo=bar".to_owned(),
            "--database is wrong: foo= is no parameter that is known here",
        ),
    ] {
        let (code, said) = why_not(&mut serve(&url));
        let is_seen_at_once = advice.starts_with("--database is wrong");
        assert_eq!(code, Some(if is_seen_at_once { 2 } else { 1 }), "{url}: {said}");
        assert!(said.contains(advice), "{url}: {said}");
        assert!(!said.contains("unexpected") && !said.contains("s3cret"), "{url}: {said}");
        assert_eq!(said.lines().filter(|line| line.starts_with("perfreg: ")).count(), 1, "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn white_space_around_a_mounted_url_does_not_count() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let mut command = perfreg();
    command.args(["serve", "--listen", "127.0.0.1:0"]).env("PERFREG_DATABASE_URL", format!(" {}\n", database.url));
    let server = TestServer::start_with(&mut command);
    assert_eq!(server.http().get("/readyz").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_was_set_to_read_only_is_waited_for_and_named() {
    let database = TestDatabase::new(Engine::Postgres).await;
    let (_, name) = database.direct_url.rsplit_once('/').expect("a database");
    let set = |value: &str| format!("ALTER DATABASE {name} SET default_transaction_read_only = {value}");
    database.connect().await.batch_execute(&set("on")).await.expect("a setting");
    let store = store::open(&database.config(), Clock::Real).expect("a usable configuration");
    let error = store.prepare().await.expect_err("it only reads");
    let is_told =
        matches!(&error, StoreError::Unavailable(text) if text.contains("default_transaction_read_only is on"));
    assert!(is_told, "{error}");
    let writing = "BEGIN READ WRITE; ";
    let client = database.connect().await;
    client.batch_execute(&format!("{writing}{}; COMMIT", set("off"))).await.expect("a setting");
    store.prepare().await.expect("it writes again");
}
